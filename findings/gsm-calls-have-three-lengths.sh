#!/usr/bin/env bash
# A telephone call recorded in GSM 6.10 has a three hundredth of its length, or 160 times its length.
#
# Guess:    A WAV or AIFF-C file of a telephone system has one length, which its header holds, and readers agree on
#           it.
# Seen:     2026-11-29, four seconds written by soundfile 0.14.0 (libsndfile 1.2.2) as GSM 6.10: as WAV, mutagen
#           1.48.1 says 0.013 s: it takes each block, of 320 samples, for one sample. tinytag 2.3.2, soundfile and
#           FFmpeg (PyAV 18.1.0) say 4. As AIFF-C, FFmpeg declares 640 s: it takes the number of samples for one of
#           packets, of 160 samples. mutagen, tinytag and soundfile say 4, and so does FFmpeg once it has decoded the
#           file.
# Matters:  Call centers send such files to be transcribed. A call of half an hour is charged as six seconds or as 80
#           hours, depending on the reader and on the suffix.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages soundfile==0.14.0 mutagen==1.48.1 tinytag==2.3.2 av==18.1.0 numpy==2.3.5
cat >lengths.py <<'PY'
import av
import mutagen
import numpy
import soundfile
import tinytag

call = 0.3 * numpy.sin(2 * numpy.pi * 440 * numpy.arange(4 * 8_000) / 8_000)
for name, container in (("call.wav", "WAV"), ("call.aifc", "AIFF")):
    soundfile.write(name, call, 8_000, format=container, subtype="GSM610")
    with av.open(name) as file:
        declared = file.duration / 1_000_000
        decoded = sum(frame.samples / frame.sample_rate for frame in file.decode(audio=0))
    print(f"{name}: mutagen {mutagen.File(name).info.length:.3f}, tinytag {tinytag.TinyTag.get(name).duration:.3f}, "
          f"soundfile {soundfile.info(name).duration:.3f}, FFmpeg declared {declared:.3f}, FFmpeg decoded {decoded:.3f}")
PY
python lengths.py >seen 2>warnings
holds seen <<'SEEN'
call.wav: mutagen 0.013, tinytag 4.000, soundfile 4.000, FFmpeg declared 4.000, FFmpeg decoded 4.000
call.aifc: mutagen 4.000, tinytag 4.000, soundfile 4.000, FFmpeg declared 640.000, FFmpeg decoded 4.000
SEEN
