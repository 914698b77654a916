import pytest

from transforms.pages import split_title, without_title

STORY = (
    "The old bridge over the Lorn was closed on Friday morning after an inspection found "
    "cracks in two of its piers, the county said."
)
MORE = (
    "Buses are sent around by the ring road until further notice, and the county expects "
    "the repair to take most of the summer."
)


@pytest.mark.parametrize(
    ("text", "title", "rest"),
    [
        (
            f"Lorn bridge closed for repair\n\n{STORY}",
            "Lorn bridge closed for repair",
            STORY,
        ),
        (f"Lorn bridge closed for repair\n{STORY}", "Lorn bridge closed for repair", STORY),
        (
            f"Log In\n\nWhy is the bridge closed?\n\nPosted 2 hours ago\n\n{STORY}",
            "Why is the bridge closed?",
            f"Log In\n\n\nPosted 2 hours ago\n\n{STORY}",
        ),
        (
            f"# 大桥因维修关闭至夏末\n\n{'大桥于周五上午关闭。' * 12}",
            "大桥因维修关闭至夏末",
            None,
        ),
        (f"{STORY}\n\n{MORE}", None, None),
        (f"The bridge was closed.\n\n{STORY}", None, None),
        (f"LORN (Reuters) -\n\n{STORY}", None, None),
        (f"By Ann Howell, Lorn\n\n{STORY}", None, None),
        (f"Photo: The bridge in May\n\n{STORY}", None, None),
        (f"Log In\n\n{STORY}", None, None),
        (f"“It will take all summer.”\n{STORY}", None, None),
        ("Lorn bridge closed for repair", None, None),
        ("Lorn bridge closed\nRain in the north\nSun in the south", None, None),
        ("", None, None),
    ],
)
def test_title_is_taken_out_of_a_text_only_where_it_is_plain(
    text: str, title: str | None, rest: str | None
) -> None:
    found, left = split_title(text)
    assert found == title
    assert left == (rest if rest is not None else left)
    assert title is not None or left == text


def test_title_is_dropped_from_the_head_of_its_text() -> None:
    assert without_title("Bridge  closed\n\nRain", "Bridge closed") == "Rain"
    assert without_title("Bridge closed\nRain", "Bridge") == "Bridge closed\nRain"
    assert without_title("Rain", None) == "Rain"
