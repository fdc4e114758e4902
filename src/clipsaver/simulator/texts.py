"""What people say in a generated past: short, varied, each with its own number."""

from typing import Final

OPENINGS: Final = (
    "ok so / look at this / no way / wait / good morning / anyone else / finally / honestly / "
    "quick question: / for the record, / we did it / rewatching / día 3: / はい / nice / **big news** / lol "
    "/ heads up, / ||spoiler|| / patch notes: / не верю, / brb / ok but / after all that / yesterday / "
    "so close / ça alors, / tldr / my cat agrees: / from the stream: / gg / update:"
).split(" / ")
MIDDLES: Final = (
    "that last round / the new map / our raid group / this jump / the boss at floor nine / my keyboard / "
    "the lobby music / that one teammate / the tournament bracket / a rocket start / the hidden door / "
    "everyone's timing / the grappling hook / version 2.4 / that 1v3 / the whole server / the cake / "
    "a perfectly timed flash / the river crossing / my ping / the speedrun / that replay / "
    "the weather mod / this build / the last goal / a flawless landing / the karaoke bot / the final lap "
    "/ the practice range / that save / the balcony fight / a wild bug"
).split(" / ")
ENDINGS: Final = (
    "was worth it / still makes no sense 😂 / is unreal / needs a nerf / took three hours / "
    "at 2 a.m. again / won't load / deserves a medal / scared me / goes to the highlights / "
    "happened twice / looked planned / (it was not planned) / is my favourite / broke again / "
    "finally works / in `ranked` / — ask me how / with no sound / before the update / after the update / "
    "on the first try / on the 40th try / while eating / and I missed it / 🔥🔥 / ? / !! / as usual / "
    "on a laptop / upside down / for real"
).split(" / ")
TITLES: Final = (
    "clutch / ace / funny-moment / screen recording / 2024-05-11 21-14-02 / Replay_07 / final / "
    "VID_20240317 / untitled / trim.final / boss fight / wallride / IMG_4411 / jump fail / highlight / "
    "über-save"
).split(" / ")
GAMES: Final = ("Rocket Otters / Hexfall / Pocket Farmers / Duskline / Kart Royale").split(" / ")
LINKS: Final = (
    "https://www.youtube.com/watch?v=",
    "https://youtu.be/",
    "https://clips.example.tv/",
    "https://example.com/article/",
)


def sentence(chance: int, number: int) -> str:
    """A line of chat drawn by ``chance``, told apart from all others by ``number``."""
    return f"{OPENINGS[chance & 31]} {MIDDLES[(chance >> 5) & 31]} {ENDINGS[(chance >> 10) & 31]} #{number}"
