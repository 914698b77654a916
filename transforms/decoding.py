"""Decoding: the bytes of a file, decompressed, split at line ends, read as text.

A gzip or zstd stream that ends early is noticed, and every byte before the break is
kept. (Beam's own reader takes the early end of a gzip file for its end.)

Bytes that are not UTF-8 are read as what they most likely are: by their byte order mark;
as UTF-8 with a few foreign bytes; as cp1252 if that gives nothing but the letters of
Western Europe; else by letter frequencies (charset-normalizer). The guess is poor for a
sentence alone and between encodings that differ in few letters: cp1254 and cp1257.
"""

import codecs
import itertools
import re
from collections.abc import Iterable, Iterator

import charset_normalizer
import pyarrow as pa

from transforms import storage
from transforms.buckets import UnreachableError

# pyarrow decompresses by this much, and what it loses at a break is read again.
CHUNK_BYTES = 64 << 10
# Bytes that a compressed file may become without a question, and beyond them how many each
# of its own may become. News text shrinks to a third or a tenth; what shrinks to less than
# a two hundredth was made to fill a disk or a memory.
FREE_BYTES = 16 << 20
MOST_EXPANSION = 200


class ExpansionError(Exception):
    """A compressed file becomes too large; nothing more of it is read."""


# Letters and marks of Western European prose that cp1252 holds beyond ASCII; without
# "³" and "¹", which is how cp1252 shows the commonest Polish letters of cp1250.
WESTERN = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüŒœ"
    "€\u201a„…‘’“”•–—™\xa0¡£§©«\xad®°·º»½¿"
)
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")
BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
FOREIGN = re.compile(rb"[\x80-\xff]")
# What a file begins with that holds no text, whatever its name says.
PACKED = (
    (re.compile(rb"\x1f\x8b\x08"), "gzip"),
    (re.compile(rb"\x28\xb5\x2f\xfd"), "zstd"),
    (re.compile(rb"PK\x03\x04"), "zip"),
    (re.compile(rb"BZh[1-9]1AY&SY"), "bzip2"),
    (re.compile(rb"\xfd7zXZ\0"), "xz"),
    (re.compile(rb"PAR1\x15"), "Parquet"),
)
DECLARED = re.compile(rb"""<meta[^>]{0,200}charset\s*+=\s*+["']?\s*+([\w-]{2,40})""", re.I)


def opened(path: str, codec: str | None) -> pa.NativeFile:
    """Open a file for reading its bytes, decompressed."""
    return _opened(path, codec)[1]


def _opened(path: str, codec: str | None) -> tuple[pa.NativeFile, pa.NativeFile]:
    """Open a file; give what reads its own bytes and what reads them decompressed."""
    file = pa.PythonFile(storage.opened(path), "r")
    return file, pa.CompressedInputStream(file, codec) if codec else file


def file_chunks(path: str, codec: str | None) -> Iterator[bytes]:
    """Give a file's bytes, decompressed, in chunks.

    Raises:
      EOFError: after the last byte that could be had, if a compressed file breaks off
        or is corrupt from there on.
      ExpansionError: if it becomes more than `FREE_BYTES` and more than `MOST_EXPANSION`
        times what was read of it.
      OSError: if nothing of it can be read.
    """
    seen = 0
    file, stream = _opened(path, codec)
    with stream:
        try:
            while chunk := stream.read(CHUNK_BYTES):
                seen += len(chunk)
                if codec and seen > max(FREE_BYTES, MOST_EXPANSION * file.tell()):
                    raise ExpansionError(
                        f"a compressed file, got {seen:,} bytes out of {file.tell():,}, "
                        f"must become at most {FREE_BYTES:,} or {MOST_EXPANSION} times as "
                        "many"
                    )
                yield chunk
        except UnreachableError:
            raise
        except (OSError, pa.ArrowException) as error:
            if codec is None:
                raise
            reason = str(error)[:80]
        else:
            if codec and not seen and _is_empty(path):
                raise EOFError("the file is empty, without so much as a header")
            return
    tail = _bytes_to_the_break(path, codec, seen)
    if not seen + len(tail) and "runcated" not in reason:
        raise OSError(reason)
    yield tail
    raise EOFError(reason)


def unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass on the chunks of a text.

    Raises:
      OSError: if they begin as an archive, or another file that is no text, does.
    """
    for number, chunk in enumerate(chunks):
        for beginning, kind in PACKED if number == 0 else ():
            if beginning.match(chunk):
                raise OSError(f"the file holds {kind} data, which its name does not say")
        yield chunk


def _is_empty(path: str) -> bool:
    with opened(path, None) as stream:
        return not stream.read(1)


def _bytes_to_the_break(path: str, codec: str, seen: int) -> bytes:
    """Read again what the failing read had decompressed and dropped: it ends a chunk."""
    tail = bytearray()
    with opened(path, codec) as stream:
        while seen:
            seen -= len(stream.read(min(seen, CHUNK_BYTES)))
        try:
            while byte := stream.read(1):
                tail += byte
        except UnreachableError:
            raise
        except (OSError, pa.ArrowException):
            return bytes(tail)
    return bytes(tail)


def at_most(chunks: Iterable[bytes], max_bytes: int) -> bytes | None:
    """Give the whole stream, or None once it is longer."""
    whole = bytearray()
    for chunk in chunks:
        whole += chunk
        if len(whole) > max_bytes:
            return None
    return bytes(whole)


def lines(chunks: Iterable[bytes], max_bytes: int) -> Iterator[tuple[int, bytes, int]]:
    """Split a stream at its line ends, holding no line longer than `max_bytes`.

    Yields:
      number: 1-based, blank lines counted.
      line: without its end; empty if it is too long.
      size: the line's length in bytes.
    """
    number, size = 1, 0
    parts: list[bytes] = []
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            size += len(part)
            parts.append(part)
            yield number, b"".join(parts) if size <= max_bytes else b"", size
            number, size, parts = number + 1, 0, []
        size += len(rest)
        if size <= max_bytes:
            parts.append(rest)
        else:
            parts.clear()
    if size:
        yield number, b"".join(parts), size


def utf8_chunks(chunks: Iterable[bytes]) -> tuple[bool, Iterator[bytes]]:
    """Give whether a stream is UTF-16 or 32, and the stream as UTF-8 without a mark."""
    stream = iter(chunks)
    first = next(stream, b"")
    if wide := _wide_encoding(first):
        mark, encoding = wide
        stream = itertools.chain([first.removeprefix(mark)], stream)
        texts = codecs.iterdecode(stream, encoding, "replace")
        return True, (text.encode() for text in texts)
    return False, itertools.chain([first.removeprefix(codecs.BOM_UTF8)], stream)


def _wide_encoding(head: bytes) -> tuple[bytes, str] | None:
    """Find UTF-16 or 32 by its mark, or UTF-16 by the zero bytes of Latin letters."""
    for mark, encoding in BOMS:
        if head.startswith(mark):
            return mark, encoding
    even, odd = head[::2].count(0), head[1::2].count(0)
    if len(head) > 9 and max(even, odd) > len(head) / 4 and min(even, odd) < len(head) / 50:
        return b"", "utf-16-be" if even > odd else "utf-16-le"
    return None


def decoded(data: bytes) -> str | None:
    """Read bytes that are not UTF-8 as text; None if they are no text in any encoding."""
    if wide := _wide_encoding(data[:CHUNK_BYTES]):
        mark, encoding = wide
        return _sensible(data.removeprefix(mark).decode(encoding, "replace"))
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if sum(not character.isascii() for character in text) > 2 * broken:
        # UTF-8 with a few foreign bytes, as when a page quotes another.
        return _sensible(data.decode("utf-8", "cp1252_for_broken"))
    # The detector is shown the part that is not ASCII: long plain stretches mislead it.
    first = FOREIGN.search(data)
    start = max(0, first.start() - 1_000) if first else 0
    best = charset_normalizer.from_bytes(data[start : start + CHUNK_BYTES]).best()
    western = data.decode("cp1252", "replace")
    if best is None or all(c.isascii() or c in WESTERN for c in western):
        return _sensible(western)
    return _sensible(data.decode(best.encoding, "replace"))


def _cp1252_for_broken(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    broken = error.object[error.start : error.end]
    return broken.decode("cp1252", "replace"), error.end


codecs.register_error("cp1252_for_broken", _cp1252_for_broken)


def looks_binary(text: str) -> bool:
    """Tell whether a text is full of what no prose holds."""
    return len(CONTROL.findall(text)) > 0.02 * len(text)


def _sensible(text: str) -> str | None:
    return None if looks_binary(text) else text


def declared_text(data: bytes) -> str | None:
    """Read a page as the encoding that it names itself, if it does and keeps to it."""
    declared = DECLARED.search(data[:4_096])
    try:
        return _sensible(data.decode(declared[1].decode())) if declared else None
    except (LookupError, UnicodeDecodeError):
        return None
