#!/usr/bin/env bash
# Two recordings joined into one file are two, three or five seconds long, whoever is asked.
#
# Guess:    An Ogg file may be a chain of streams, and MP3 files may be joined by `cat`; players play both. So
#           whatever decodes the file, at the least, tells two seconds plus three seconds as five.
# Seen:     2026-11-29, soundfile 0.14.0, mutagen 1.48.1, tinytag 2.3.2, PyAV 18.1.0 (FFmpeg 8.1.2), music-metadata
#           11.16.1: tag readers say 2, the first part. FFmpeg says 3 for Ogg, the last part, and 5 for MP3. Decoded
#           by FFmpeg both are 5. soundfile.read(), which decodes, stops after 2 seconds without an error, so what is
#           computed from its samples lacks three fifths of the recording.
# Matters:  Radio streams and dictation apps that pause write such files. Whoever bills by one tool and works with
#           another charges 2 for 5, or 3 for 2, and a refund for "missing text" is right.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages soundfile==0.14.0 mutagen==1.48.1 tinytag==2.3.2 av==18.1.0 numpy==2.3.5
npm_packages music-metadata@11.16.1
cat >lengths.py <<'PY'
import subprocess
import sys
from pathlib import Path

import av
import mutagen
import numpy
import soundfile
import tinytag


def record(path, seconds, **codec):
    time = numpy.arange(seconds * 44_100) / 44_100
    soundfile.write(path, 0.3 * numpy.sin(2 * numpy.pi * 440 * time), 44_100, **codec)
    return Path(path).read_bytes()


def decoded_by_ffmpeg(path):
    with av.open(path) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


def declared_by_ffmpeg(path):
    with av.open(path) as container:
        return container.duration / 1_000_000


def decoded_by_soundfile(path):
    samples, rate = soundfile.read(path)
    return len(samples) / rate


def music_metadata(path):
    program = ("import { parseFile } from 'music-metadata';"
               "console.log((await parseFile(process.argv[1], { duration: true })).format.duration)")
    return float(subprocess.check_output(["node", "--input-type=module", "--eval", program, path]))


READERS = {
    "mutagen": lambda path: mutagen.File(path).info.length,
    "tinytag": lambda path: tinytag.TinyTag.get(path).duration,
    "music-metadata": music_metadata,
    "soundfile, declared": lambda path: soundfile.info(path).duration,
    "soundfile, decoded": decoded_by_soundfile,
    "FFmpeg, declared": declared_by_ffmpeg,
    "FFmpeg, decoded": decoded_by_ffmpeg,
}
for name, codec in {"vorbis.ogg": {"format": "OGG", "subtype": "VORBIS"}, "layer3.mp3": {"format": "MP3"}}.items():
    Path(f"joined-{name}").write_bytes(record(name, 2, **codec) + record(name, 3, **codec))
    lengths = ", ".join(f"{reader} {round(of(f'joined-{name}'))}" for reader, of in READERS.items())
    print(f"{name}, 2 s and 3 s: {lengths}")
PY
python lengths.py >seen 2>warnings
holds seen <<'SEEN'
vorbis.ogg, 2 s and 3 s: mutagen 2, tinytag 2, music-metadata 2, soundfile, declared 2, soundfile, decoded 2, FFmpeg, declared 3, FFmpeg, decoded 5
layer3.mp3, 2 s and 3 s: mutagen 2, tinytag 2, music-metadata 2, soundfile, declared 2, soundfile, decoded 2, FFmpeg, declared 5, FFmpeg, decoded 5
SEEN
