"""Small copies of published data sets: the folders, names and headers of the archives, and what is odd about them.

Every function writes below a folder and returns nothing; sound files are 0.2 s long unless a trap needs more.
"""

import csv
import json
from pathlib import Path

import numpy as np
import soundfile
from small_sets import SR, tone

from mer_jax.data.builders import registry


def builder(name: str, folder: Path, *, variant: str | None = None, partial: bool = True):
    """The builder of a small copy. ``partial`` says that it is not to be counted as the full archive."""
    made = registry.builder_class(name)
    return made(variant=variant, partial=partial, manual_dir=folder, sr=SR, data_dir=folder.parent / "tfds")


def audio(path: Path, number: int = 0, *, seconds: float = 0.2, sr: int = 16000, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    y = np.tile(tone(number % 40, seconds, sr)[:, None], (1, channels))
    soundfile.write(path, y, sr, format="MP3" if path.suffix == ".mp3" else None)


def text(path: Path, *lines: str, newline: str = "\n", encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + newline for line in lines).encode(encoding))


def table(path: Path, rows: list[list], *, newline: str = "\n", encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding=encoding, newline="") as file:
        csv.writer(file, lineterminator=newline).writerows(rows)


def clutter(folder: Path) -> None:
    (folder / "__MACOSX" / "Q1").mkdir(parents=True)
    (folder / "__MACOSX" / "Q1" / "._MT0000000001.mp3").write_bytes(b"resource fork")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "Thumbs.db").write_bytes(b"x")


# Rates, channels and seconds as they occur in the archive.
TAFFC = [
    ("MT0000004637", "Charlie Poole", "Bulldog Down in Sunny Tennessee", "Q3", 32000, 2, 0.2),
    ("MT0000011357", "Bjørk, the Band", "A title, with commas", "Q2", 22050, 2, 0.2),
    ("MT0000040632", "", "Untitled", "Q1", 44100, 2, 0.2),
    ("MT0000040633", "", "Untitled too", "Q4", 44100, 1, 0.2),
    ("MT0013621344", "CHARLIE  POOLE", "Short one", "Q1", 16000, 1, 0.1),
]


def taffc(folder: Path) -> None:
    root = folder / "wrapper" / "MER_audio_taffc_dataset"
    text(
        root / "panda_dataset_taffc_annotations.csv",
        "Song,Quadrant",
        *(f"{song},{quadrant}" for song, _, _, quadrant, *_ in TAFFC),
        newline="\r\n",
    )
    text(
        root / "panda_dataset_taffc_metadata.csv",
        '"Song","Artist","Title","Quadrant","PQuad","MoodsTotal","Moods","MoodsFoundStr","MoodsStr","MoodsStrSplit","Genres",'
        '"GenresStr","Sample","SampleURL"',
        *(
            f'"{song}","{artist}","{title}","{quadrant}",0.666666666666667,3,3,"circular; greasy","Circular; Greasy","Calm",2,'
            '"Country; International",1,"http://example.org/x"'
            for song, artist, title, quadrant, *_ in TAFFC
        ),
        newline="\r\n",
        encoding="latin-1",
    )
    text(root / "readme.txt", "dataset of Panda – 4Q", newline="\r\n", encoding="cp1252")
    for number, (song, _, _, quadrant, sr, channels, seconds) in enumerate(TAFFC):
        audio(root / quadrant / f"{song}.mp3", number, seconds=seconds, sr=sr, channels=channels)
    clutter(root)


MERGE = [  # song, quadrant, artist, year, arousal, valence, in Balanced
    ("A001", "Q1", "Someone", "1970-??-??", 0.9, 0.8, True),
    ("A061-66", "Q2", "Someone", "20/06/2005", 0.75, 0.25, True),
    ("A062-170", "Q3", "", "", 0.1, 0.2, False),
    ("MT0000004637", "Q4", "Charlie Poole", "1926", 0.25, 0.75, True),
    ("MT0000011357", "Q1", "Another", "2007-??-??", 1.0, 0.5, True),
    ("MT0000011358", "Q3", "Third", "1999", 0.0, 0.0, True),
]


def merge(folder: Path) -> None:
    for variant in ("Complete", "Balanced"):
        root = folder / f"MERGE_Audio_{variant}"
        prefix = f"merge_audio_{variant.lower()}"
        rows = [row for row in MERGE if row[6] or variant == "Complete"]
        table(
            root / f"{prefix}_metadata.csv",
            [["Song", "Quadrant", "AllMusic Id", "Artist", "Title", "Year", "Duration", "Moods", "Genres"]]
            + [[r[0], r[1], "", r[2], "A, title", r[3], 211.5, 3, "Country,International"] for r in rows],
        )
        table(
            root / f"{prefix}_av_values.csv",
            [["Song", "Arousal", "Valence"]] + [[r[0], r[4], r[5]] for r in rows],
        )
        for name, parts in (("tvt_70_15_15", "ttvvst"), ("tvt_40_30_30", "tvtsvs")):
            for part, letter in (("train", "t"), ("validate", "v"), ("test", "s")):
                chosen = [r for r, mark in zip(MERGE, parts, strict=True) if mark == letter and r in rows]
                table(
                    root / "tvt_dataframes" / name / f"{name}_{part}_audio_{variant.lower()}.csv",
                    [["Song", "Quadrant"]] + [[r[0], r[1]] for r in chosen],
                )
        for number, row in enumerate(rows):
            audio(root / row[1] / f"{row[0]}.mp3", number)


# Song id, static as shipped (valence, arousal), true mean dynamic (valence, arousal), moments; rate, channels.
DEAM = [
    (2, 3.1, 3.0, (-0.5, -0.475), 4, 44100, 2),
    (3, 3.5, 3.3, (-0.425, -0.375), 4, 44100, 2),
    (4, 5.7, 5.4, (0.1, 0.175), 4, 44100, 2),
    (10, 7.0, 4.0, (-0.25, 0.5), 4, 48000, 2),
    (1000, 6.0, 2.0, (-0.75, 0.25), 4, 22050, 1),
    (1001, 6.0, 2.0, (0.25, -0.75), 4, 44100, 2),
    (1024, 7.0, 7.5, (0.5, 0.625), 4, 16000, 2),
    (2000, 2.0, 8.0, (-0.75, 0.75), 4, 44100, 2),
    (2001, 3.2, 6.6, (-0.45, 0.4), 6, 44100, 2),
    (2058, 5.0, 5.0, (0.0, 0.0), 6, 44100, 2),
]
_SECOND = (
    "song_id, valence_mean, valence_std, valence_ max_mean, valence_max_std, valence_min_mean, valence_min_std, arousal_mean, "
    "arousal_std, arousal_max_mean, arousal_max_std, arousal_min_mean, arousal_min_std"
)


def deam(folder: Path, songs: list[tuple] | None = None, *, seconds: float = 0.2) -> None:
    songs = DEAM if songs is None else songs
    averaged = folder / "DEAM_Annotations" / "annotations" / "annotations averaged per song"
    text(
        averaged / "song_level" / "static_annotations_averaged_songs_1_2000.csv",
        "song_id, valence_mean, valence_std, arousal_mean, arousal_std",
        *(f"{song},{v},0.94,{a},0.63" for song, v, a, *_ in songs if song <= 2000),
    )
    text(
        averaged / "song_level" / "static_annotations_averaged_songs_2000_2058.csv",
        _SECOND,
        *(
            f"{song},{v},0.98,5.0,1.41,2.2,0.98,{a},0.8,8.6,0.49,3.4,1.02"
            for song, v, a, *_ in songs
            if song > 2000
        ),
    )
    for column, name, moments in ((0, "valence", 8), (1, "arousal", 7)):
        times = [15000 + 500 * i for i in range(moments)]
        rows = [["song_id", *(f"sample_{time}ms" for time in times)]]
        for song, _, _, means, rated, *_ in songs:
            values = [means[column] + 0.01 * (i - (rated - 1) / 2) for i in range(rated)]
            rows.append([song, *(f"{v:.4f}" for v in values), *[""] * (moments - rated)])
        table(averaged / "dynamic (per second annotations)" / f"{name}.csv", rows)
    metadata = folder / "metadata"
    text(
        metadata / "metadata_2013.csv",
        "song_id,file_name,Artist,Song title,start of the segment (min.sec),end of the segment (min.sec),Genre",
        *(
            f'{song},"\t{song}.mp3","Artist {song % 3}\t","\tA, title\t",\t0.48\t,\t1.33\t,"\tBlues\t"'
            for song, *_ in DEAM[:5]
        ),
    )
    text(
        metadata / "metadata_2014.csv",
        "Id,Artist,Album,Track,Genre,segment start,segment end",
        "1001,Someone,Album,Track,Rock,0:10,0:55",
        "1024,Someone,Album,Track,Rock,0:10,0:55,indie,rock,guitar,seen live",
        "2000,,Album,Track",
    )
    text(
        metadata / "metadata_2015.csv",
        "id,Filename,title,artist,album,genre",
        "2001,2001.mp3,Title,Band,Album,Hip-Hop",
        "2058,2058.mp3,Title,Band,Album,Rock,Indie,Pop",
    )
    for song, _, _, _, _, sr, channels in songs:
        audio(
            folder / "DEAM_audio" / "MEMD_audio" / f"{song}.mp3",
            song,
            seconds=seconds,
            sr=sr,
            channels=channels,
        )
    # Features of openSMILE, as in the optional archive.
    text(folder / "features" / "2.csv", "frameTime;F0", "0.0;1.0")


EMOMUSIC = [  # id, artist, set, arousal, valence
    (2, "The New Mystikal Troubadours", "development", 3.1, 3.0),
    (3, "Artist", "evaluation", 3.5, 3.3),
    (4, "Øystein Sévåg 1\xa02", "development", 5.7, 5.4),
    (10, "Artist", "development", 5.0, 6.0),
    (1000, "Fourth", "development", 8.1, 8.0),
]


def emomusic(folder: Path) -> None:
    text(
        folder / "songs_info.csv",
        '"song_id","file_name","Artist","Song title","start of the segment (min.sec)","end of the segment (min.sec)","Genre",'
        '"Mediaeval 2013 set"',
        *(
            f'{song},"\t{song}.mp3","{artist}\t","\tTonight  A Lonely Century\t","\t0.5\t","\t1.35\t","\tBlues\t","{part}"'
            for song, artist, part, *_ in EMOMUSIC
        ),
    )
    table(
        folder / "static_annotations.csv",
        [["song_id", "mean_arousal", "std_arousal", "mean_valence", "std_valence"]]
        + [[song, a, 0.99443, v, 0.66667] for song, _, _, a, v in EMOMUSIC],
    )
    header = ["song_id", *(f"sample_{time}ms" for time in range(15000, 16501, 500))]
    for name, value in (("arousal", -0.1), ("valence", 0.2)):
        for kind in ("average", "std"):
            table(
                folder / f"{name}_cont_{kind}.csv",
                [header] + [[song, *[value] * 4] for song, *_ in EMOMUSIC],
            )
    for song, *_ in EMOMUSIC:
        audio(folder / "clips_45seconds" / f"{song}.mp3", song)
    audio(folder / "clips_45seconds" / "7.mp3", 7)  # a song that was dropped


PMEMO = [  # id, artist, album, title, arousal, valence (None: unlabelled), moments
    (1, "2 Chainz", "Def Jam Presents: Direct Deposit, Vol. 2", "Good Drank", 0.4, 0.575, 3),
    (4, "周杰伦", "", "稻香", 0.2625, 0.2875, 2),
    (5, "Drake", "Views", "Twice", 0.15, 0.9, 0),
    (11, "Nobody", "", "Unlabelled", None, None, 0),
    (866, "drake", "Views", "Twice", 0.9, 0.5, 1),
]


def pmemo(folder: Path) -> None:
    root = folder / "PMEmo2019" / "PMEmo2019"
    header = "musicId fileName title artist album duration chorus_start_time chorus_end_time".split()  # noqa: SIM905
    table(
        root / "metadata.csv",
        [header]
        + [[i, f"{i}.mp3", title, a, album, 32.1, "02:35", "03:05"] for i, a, album, title, *_ in PMEMO],
    )
    table(
        root / "annotations" / "static_annotations.csv",
        [["musicId", "Arousal(mean)", "Valence(mean)"]]
        + [[row[0], row[4], row[5]] for row in PMEMO if row[4] is not None],
    )
    moments = [
        [row[0], 15.5 + 0.5 * i, row[4] + 0.01 * i, row[5]] for row in PMEMO if row[4] for i in range(row[6])
    ]
    table(
        root / "annotations" / "dynamic_annotations.csv",
        [["musicId", "frameTime", "Arousal(mean)", "Valence(mean)"], *moments],
    )
    for song, *_ in PMEMO:
        audio(root / "chorus" / f"{song}.mp3", song, sr=44100, channels=2)


JAMENDO = [  # track, artist, path, tags
    (948, 87, "48/948.mp3", ["background"]),
    (950, 87, "50/950.mp3", ["calm", "melodic"]),
    (3346, 517, "46/3346.mp3", ["happy", "film", "ambiental"]),
    (1009600, 518, "00/1009600.mp3", ["upbeat"]),
    (100, 519, "00/100.mp3", ["sad", "dark"]),
]
_JAMENDO_PARTS = {0: "aavst", 1: "ttsvt", 2: "ttsvs", 3: "vvstt", 4: "sstvv"}


def jamendo(folder: Path, *, low: bool = False, missing: bool = False) -> None:
    letters = {"t": "train", "a": "train", "v": "validation", "s": "test"}
    for split, marks in _JAMENDO_PARTS.items():
        for part in ("train", "validation", "test"):
            rows = [
                "\t".join(
                    [f"track_{t:07d}", f"artist_{a:06d}", "album_000149", path, "212.7"]
                    + [f"mood/theme---{tag}" for tag in tags]
                )
                for (t, a, path, tags), mark in zip(JAMENDO, marks, strict=True)
                if letters[mark] == part
            ]
            text(
                folder
                / "mtg-jamendo-dataset"
                / "data"
                / "splits"
                / f"split-{split}"
                / f"autotagging_moodtheme-{part}.tsv",
                "\t".join(["TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS"]),
                *rows,
                newline="\r\n",
            )
    for number, (_, _, path, _) in enumerate(JAMENDO[1 if missing else 0 :]):
        audio(folder / "audio" / path, number)
        if low:
            audio(folder / "audio-low" / path.replace(".mp3", ".low.mp3"), number + 10)


EMOTIFY_HEADER = (
    "track id, genre, amazement, solemnity, tenderness, nostalgia, calmness, power, joyful_activation, tension, sadness, mood, "
    "liked, disliked, age, gender, mother tongue"
)


def emotify(folder: Path) -> None:
    text(
        folder / "data.csv",
        EMOTIFY_HEADER,
        "1,classical,0,1,0,0,0,0,1,1,0,3,1,0,21,1,English",
        "1,classical,0,0,0,1,0,0,0,0,0,3,0,1,41,1,Dutch",
        "2,classical,0,0,0,0,0,0,0,0,0,3,0,1,old,1,Dutch",
        "100,classical,1,1,1,1,1,0,0,0,0,3,0,1,41,1,Dutch",
        "101,rock,0,0,0,0,0,1,0,0,0,3,0,1,41,1,Dutch",
        "400,pop,0,0,0,0,0,0,0,0,1,3,0,1,41,1,Dutch",
    )
    for genre, numbers in {"classical": (1, 2, 100), "rock": (1,), "pop": (100,)}.items():
        for number in numbers:
            audio(folder / "emotifymusic" / genre / f"{number}.mp3", number, sr=44100, channels=2)


EMOPIA = [
    "Q1_0vLPYiPN7qY_0",
    "Q1_0vLPYiPN7qY_1",
    "Q2_L3_TadjSQQ0_0",
    "Q3_L3_TadjSQQ0_1",
    "Q1_-fPxw_v-GsY_0",
    "Q4_iXiSFSGws-c_2",
]


def emopia(folder: Path, *, missing: bool = False, classifier: bool = True) -> None:
    root = folder / "EMOPIA_1.0 2"
    table(root / "label.csv", [["ID", "4Q", "annotator"]] + [[name, name[1], "D"] for name in EMOPIA])
    parts = {"train": EMOPIA[:2], "val": EMOPIA[2:4], "test": EMOPIA[4:]}
    for part, names in parts.items():
        rows = [["", "clip_name"]] + [[i, f"{name}.mid"] for i, name in enumerate(names)]
        table(root / "split" / f"{part}_clip.csv", rows)
    if classifier:
        for part, names in {"train": EMOPIA[2:4], "val": EMOPIA[:1], "test": EMOPIA[4:]}.items():
            table(
                folder / "EMOPIA_cls" / "dataset" / "split" / f"{part}.csv",
                [["fname", "label"]] + [[name, name[:2]] for name in names],
            )
    (root / "metadata").mkdir()
    (root / "metadata" / "Q1_-fPxw_v-GsY.json").write_text(json.dumps({"id": "-fPxw_v-GsY"}))
    clutter(root)
    for number, name in enumerate(EMOPIA[1 if missing else 0 :]):
        audio(folder / "my renderings" / f"{name}.wav", number)


def turkish(folder: Path) -> None:
    for mood, names in {
        "angry": ["adanali.mp3"],
        "happy": ["gir_kanima_harun_kolcak.mp3", "şık ağaç.mp3"],
        "Relax": ["ajda-pekkan-ya-sonra-Part.mp3"],
        "sad": ["bir yağmur.mp3"],
    }.items():
        for number, name in enumerate(names):
            audio(folder / "Turkish" / mood / name, number)


def turkish_features(folder: Path) -> None:
    text(
        folder / "Acoustic_Features.csv",
        '"Class","_RMSenergy_Mean","_Tempo_Mean"',
        '"relax","0.052","130.043"',
        '"happy","0.1","120"',
        '"relax","0.052","130.043"',
        '"angry","0.3","99.5"',
    )


SOUNDTRACKS = [  # valence, energy, tension, anger, fear, happy, sad, tender, target, album
    (2.56, 7.73, 8.38, 6.39, 4.40, 1.21, 1.75, 1.01, "ANGER_HIGH", "Lethal weapon 3"),
    (6.75, 3.90, 2.82, 1.0, 1.0, 5.0, 2.0, 6.0, "VALENCE_POS", "Big Fish"),
    (5.00, 5.00, 5.0, 1.0, 1.0, 1.0, 1.0, 1.0, "TENSION_NEG", "Big Fish "),
]


def soundtracks(folder: Path) -> None:
    names = ["valence", "energy", "tension", "anger", "fear", "happy", "sad", "tender", "TARGET"]
    table(
        folder / "mean_ratings_set1.csv",
        [["number", *names]] + [[i, *row[:9]] for i, row in enumerate(SOUNDTRACKS, 1)],
    )
    table(
        folder / "set1_tracklist.csv",
        [["Nro", "Emotion", "Album name", "Track"]]
        + [[f"{i:03d}", "ANGER", row[9], 1] for i, row in enumerate(SOUNDTRACKS, 1)],
    )
    second = {10: 0, 84: 1, 88: 1, 95: 0}
    table(
        folder / "mean_ratings_set2.csv",
        [["Number", *(name.capitalize() for name in names[:-1]), "Beauty", "Liking", "TARGET"]]
        + [[i, *SOUNDTRACKS[at][:8], 4.71, 4.97, SOUNDTRACKS[at][8]] for i, at in second.items()],
    )
    for i in range(1, 4):
        audio(folder / "Set1" / "Set1" / f"{i:03d}.mp3", i)
    for i in second:
        audio(folder / "set2" / f"{i:03d}.mp3", i)


RAVDESS = [
    "03-02-01-01-01-01-01",
    "03-02-02-01-01-01-01",
    "03-02-03-02-02-01-02",
    "03-02-06-01-02-02-24",
]


def ravdess_song(folder: Path) -> None:
    for number, name in enumerate(RAVDESS):
        channels = 2 if name.endswith("24") else 1
        audio(folder / f"Actor_{name[-2:]}" / f"{name}.wav", number, sr=48000, channels=channels)
    audio(folder / "Actor_01" / "03-01-08-01-01-01-01.wav", 9, sr=48000)  # speech


# Writer of each set, and how many clips it writes in each variant.
ALL = {
    "taffc": (taffc, {"": 5}),
    "merge": (merge, {"complete": 6, "balanced": 5}),
    "deam": (deam, {"": 10, "as_shipped": 10}),
    "emomusic": (emomusic, {"": 5}),
    "pmemo": (pmemo, {"": 4}),
    "jamendo": (jamendo, {"": 5}),
    "emotify": (emotify, {"": 5}),
    "emopia": (emopia, {"": 6}),
    "turkish": (turkish, {"": 5}),
    "soundtracks": (soundtracks, {"set1": 3, "set2": 4}),
    "ravdess_song": (ravdess_song, {"": 4}),
}
