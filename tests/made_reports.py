"""Two reports of one event in other words, and one of another event."""

FERRY = (
    "The ferry Northern Star ran aground off Kessock harbour on Monday morning with 214 "
    "people aboard, the coastguard said. Two lifeboats and a helicopter took passengers "
    "ashore before noon, and nobody was hurt. Captain Ines Hallberg reported a steering "
    "fault minutes before the ship struck the Skerry bank, according to the harbour "
    "office. Divers will look at the hull once the wind has dropped, the owner said."
)
RETOLD = (
    "All 214 people on the Northern Star were brought ashore by lifeboats and a helicopter "
    "on Monday, after the ferry hit the Skerry bank near Kessock harbour. The steering of "
    "the ferry had failed, Captain Ines Hallberg told the coastguard. None of the "
    "passengers came to harm. The owner sends divers to the hull of the Northern Star."
)
MARKET = (
    "The town council of Brannow voted on Tuesday to close the covered market for two "
    "years while its iron roof is rebuilt. Forty traders will move to stalls along Mill "
    "Street, and rents there will be halved, councillor Teodor Vance told the meeting. "
    "The work is to cost eleven million and will be paid for by a fund and a loan."
)
