"""Compares measured lengths with full decodes.

Common encoders make files of many codecs, rates, tags and shapes, and ffmpeg decodes each file to count its samples.

usage: against_ffmpeg.py MEASURE, the example program of this crate
"""

import concurrent.futures
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field

REFUSED_MAX = 0.15
FILES_MIN = 120
FFMPEG = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y"]


@dataclass
class Made:
    """A valid file, and what the library must say about it."""

    path: pathlib.Path
    # One codec frame, in seconds; 0 if the length must be exact to the millisecond.
    frame: float = 0.0
    # The true length in seconds, if ffmpeg's decode ignores what the container says.
    seconds: float | None = None
    # Files whose decoded lengths add up to this one's, if ffmpeg resamples later parts to the first rate.
    parts: list = field(default_factory=list)
    # The words of the refusal, if it must not be measured: container and codec.
    refused: str | None = None


def run(*command, stdin=None, stdout=None):
    result = subprocess.run([str(part) for part in command], stdin=stdin, stdout=stdout or subprocess.DEVNULL,
                            stderr=subprocess.PIPE, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"{command}: {result.stderr.decode(errors='replace')[-600:]}")


def probe(path):
    answer = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "a:0", "-show_entries", "stream=sample_rate,channels",
         "-of", "csv=p=0", str(path)], capture_output=True, text=True, check=True).stdout.split()[0].split(",")
    return int(answer[0]), int(answer[1])


def decoded_seconds(path):
    """Counts the samples that ffmpeg decodes, as 16 bits, one channel, at the file's own rate."""
    rate, _ = probe(path)
    process = subprocess.Popen([*FFMPEG, "-i", str(path), "-map", "0:a:0", "-ac", "1", "-ar", str(rate),
                                "-f", "s16le", "-"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    count = 0
    while chunk := process.stdout.read(1 << 16):
        count += len(chunk)
    process.wait()
    return count / 2 / rate


class Workshop:
    """Makes files in one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.jobs = []
        # Several jobs use parts with the same name.
        self.lock = threading.Lock()

    def at(self, name):
        return self.folder / name

    def tone(self, rate, seconds, channels=1):
        path = self.at(f"tone-{rate}-{seconds}-{channels}.wav")
        # Several jobs may want it, and none may read it before it is whole.
        with self.lock:
            if not path.exists():
                run(*FFMPEG, "-f", "lavfi", "-i", f"sine=frequency=300:beep_factor=3:sample_rate={rate}:duration={seconds}",
                    "-ac", channels, "-c:a", "pcm_s16le", path)
        return path

    def job(self, make):
        self.jobs.append(make)

    def ffmpeg(self, name, source, *options, frame=0.0, seconds=None, refused=None):
        def make():
            run(*FFMPEG, "-i", source, *options, self.at(name))
            return Made(self.at(name), frame, seconds, refused=refused)
        self.job(make)

    def piped(self, name, source, *options, frame=0.0, seconds=None, program=None, refused=None):
        def make():
            with open(self.at(name), "wb") as out:
                read, write = os.pipe()
                command = program or [*FFMPEG, "-i", source, *options, "-"]
                process = subprocess.Popen([str(part) for part in command], stdout=write, stderr=subprocess.DEVNULL,
                                           stdin=subprocess.DEVNULL)
                os.close(write)
                with open(read, "rb") as stream:
                    while chunk := stream.read(1 << 16):
                        out.write(chunk)
                process.wait()
            return Made(self.at(name), frame, seconds, refused=refused)
        self.job(make)

    def tool(self, name, *command, frame=0.0, seconds=None, refused=None):
        def make():
            run(*command)
            return Made(self.at(name), frame, seconds, refused=refused)
        self.job(make)

    def changed(self, name, change, frame=0.0, seconds=None, parts=None, refused=None):
        """A file whose bytes `change` returns."""
        def make():
            self.at(name).write_bytes(change())
            return Made(self.at(name), frame, seconds, [part() for part in parts or []], refused)
        self.job(make)


def encoded(workshop, name, source, *options):
    """The bytes of a file that is only a part of another."""
    path = workshop.at("part-" + name)
    with workshop.lock:
        if not path.exists():
            run(*FFMPEG, "-i", source, *options, path)
    return path


def id3v2(size):
    return b"ID3\x04\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + b"\xff\xfb\x90\x00" * (size // 4)


def id3v1():
    return b"TAG" + b" " * 125


def apev2(size):
    def mark(is_header):
        return b"APETAGEX" + struct.pack("<IIII", 2000, size + 32, 1, 1 << 31 | is_header << 29) + bytes(8)
    return mark(1) + b"\xff\xfb\x90\x00" * (size // 4) + mark(0)


def plan(shop):
    pcm_and_lossless(shop)
    mp3(shop)
    aac(shop)
    ogg(shop)
    mp4(shop)
    odd(shop)
    refused(shop)


def pcm_and_lossless(shop):
    for rate in (8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000):
        tone = shop.tone(rate, 1.37)
        shop.ffmpeg(f"pcm-{rate}.wav", tone, "-c:a", "pcm_s16le")
        shop.tool(f"flac-{rate}.flac", "flac", "--silent", "--force", tone, "-o", shop.at(f"flac-{rate}.flac"))
        shop.ffmpeg(f"pcm-{rate}.aiff", tone, "-c:a", "pcm_s16be")
    tone, stereo = shop.tone(44100, 2.11), shop.tone(44100, 2.11, 2)
    for codec in ("pcm_u8", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw"):
        shop.ffmpeg(f"{codec}.wav", stereo, "-c:a", codec)
    for codec in ("adpcm_ima_wav", "adpcm_ms"):
        # ffmpeg counts the rest of the last block, and writes that into the file.
        shop.ffmpeg(f"{codec}.wav", stereo, "-c:a", codec, frame=2048 / 44100)
        shop.tool(f"sox-{codec}.wav", "sox", stereo, "-e", "ima-adpcm" if "ima" in codec else "ms-adpcm",
                  shop.at(f"sox-{codec}.wav"), seconds=2.11)
    shop.tool("sox-gsm.wav", "sox", shop.tone(8000, 1.37), "-e", "gsm-full-rate", shop.at("sox-gsm.wav"), seconds=1.37)
    shop.ffmpeg("rf64.wav", tone, "-rf64", "always")
    shop.ffmpeg("extensible.wav", shop.tone(48000, 1.2), "-af", "pan=5.1|c0=c0", "-c:a", "pcm_s24le")
    shop.piped("piped.wav", tone, "-f", "wav")
    shop.piped("piped-sox.wav", tone, program=["sox", tone, "-t", "wav", "-"])
    shop.piped("piped-24.wav", stereo, "-c:a", "pcm_s24le", "-f", "wav")
    shop.piped("piped.flac", tone, program=["flac", "--silent", "-c", tone])
    shop.piped("piped-ffmpeg.flac", tone, "-f", "flac")
    shop.changed("piped-lame.wav", lambda: piped_by_lame(encoded(shop, "a.mp3", tone, "-b:a", "64k")), frame=1152 / 44100)
    for level in (0, 8):
        shop.tool(f"flac-level-{level}.flac", "flac", "--silent", "--force", f"-{level}", stereo,
                  "-o", shop.at(f"flac-level-{level}.flac"))
    shop.tool("flac-24.flac", "flac", "--silent", "--force", encoded(shop, "24.wav", stereo, "-c:a", "pcm_s24le"),
              "-o", shop.at("flac-24.flac"))
    shop.tool("flac-noise.flac", "sox", "-n", "-r", "48000", shop.at("flac-noise.flac"), "synth", "2.3", "whitenoise")
    shop.changed("tagged.flac", lambda: id3v2(4000) + encoded(shop, "t.flac", tone).read_bytes() + id3v1())
    shop.changed("ape-tagged.flac", lambda: encoded(shop, "t2.flac", tone).read_bytes() + apev2(4000))
    for codec, extension in (("pcm_s24be", "aiff"), ("pcm_f32be", "aiff"), ("pcm_alaw", "aiff"), ("pcm_s16le", "aiff"),
                             ("pcm_s16be", "au"), ("pcm_mulaw", "au"), ("pcm_s24be", "au"), ("pcm_f32be", "au"),
                             ("pcm_s16be", "caf"), ("pcm_s24le", "caf"), ("pcm_f32le", "caf"), ("alac", "caf")):
        shop.ffmpeg(f"{codec}.{extension}", stereo, "-c:a", codec)
    shop.ffmpeg("ima4.caf", tone, "-c:a", "adpcm_ima_qt", frame=64 / 44100)
    shop.ffmpeg("ima4.aiff", tone, "-c:a", "adpcm_ima_qt", frame=64 / 44100)
    # ffmpeg writes headers to a pipe that it does not read itself.
    shop.piped("piped.aiff", stereo, "-f", "aiff", seconds=2.11)
    shop.piped("piped-sox.aiff", stereo, program=["sox", stereo, "-t", "aiff", "-"], seconds=2.11)
    shop.piped("piped.au", stereo, "-f", "au")
    shop.piped("piped-sox.au", stereo, program=["sox", stereo, "-t", "au", "-"])
    for bits in (8, 16, 24, 32):
        shop.tool(f"sox-{bits}.aiff", "sox", stereo, "-b", bits, shop.at(f"sox-{bits}.aiff"))
        shop.tool(f"sox-{bits}.wav", "sox", stereo, "-b", bits, shop.at(f"sox-{bits}.wav"))


def piped_by_lame(path):
    return subprocess.run(["lame", "--quiet", "--decode", str(path), "-"], capture_output=True, check=True).stdout


def mp3(shop):
    for rate in (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000):
        frame = (1152 if rate >= 32000 else 576) / rate
        tone = shop.tone(rate, 1.61)
        for name, options in (("cbr", ["-b", "32"]), ("vbr", ["-V", "6"]), ("untagged", ["-b", "48", "-t"])):
            file = f"lame-{name}-{rate}.mp3"
            shop.tool(file, "lame", "--quiet", "--resample", rate / 1000, *options, tone, shop.at(file), frame=frame)
    tone, frame = shop.tone(44100, 2.11), 1152 / 44100
    shop.tool("lame-vbr-untagged.mp3", "lame", "--quiet", "-V", "4", "-t", tone, shop.at("lame-vbr-untagged.mp3"), frame=frame)
    shop.tool("lame-stereo.mp3", "lame", "--quiet", "-b", "320", shop.tone(44100, 2.11, 2), shop.at("lame-stereo.mp3"), frame=frame)
    shop.tool("lame-protected.mp3", "lame", "--quiet", "-p", tone, shop.at("lame-protected.mp3"), frame=frame)
    shop.tool("lame-tagged.mp3", "lame", "--quiet", "--tt", "Title", "--add-id3v2", tone, shop.at("lame-tagged.mp3"), frame=frame)
    shop.ffmpeg("ffmpeg.mp3", tone, "-b:a", "96k", frame=frame)
    shop.ffmpeg("ffmpeg-no-xing.mp3", tone, "-write_xing", "0", "-id3v2_version", "0", frame=frame)
    shop.piped("piped.mp3", tone, "-f", "mp3", frame=frame)
    plain = lambda: encoded(shop, "plain.mp3", tone, "-write_xing", "0", "-id3v2_version", "0").read_bytes()
    tagged = lambda: encoded(shop, "tagged.mp3", tone, "-b:a", "64k").read_bytes()
    for name, change in (("id3v2", lambda: id3v2(20000) + plain()), ("id3v1", lambda: plain() + id3v1()),
                         ("ape", lambda: plain() + apev2(300_000)), ("ape-xing", lambda: tagged() + apev2(300_000) + id3v1()),
                         ("all", lambda: id3v2(900) + id3v2(800) + tagged() + apev2(8000) + id3v1()),
                         ("zeros", lambda: plain() + bytes(4096))):
        # ffmpeg takes part of a tag for audio.
        base = encoded(shop, "tagged.mp3", tone, "-b:a", "64k") if "xing" in name or name == "all" else \
            encoded(shop, "plain.mp3", tone, "-write_xing", "0", "-id3v2_version", "0")
        shop.changed(f"{name}.mp3", change, frame=frame, parts=[lambda base=base: base])
    low = lambda: encoded(shop, "low.mp3", shop.tone(8000, 1.37), "-write_xing", "0", "-id3v2_version", "0")
    high = lambda: encoded(shop, "plain.mp3", tone, "-write_xing", "0", "-id3v2_version", "0")
    shop.changed("joined.mp3", lambda: plain() * 2, frame=frame)
    shop.changed("joined-with-tags.mp3", lambda: plain() + id3v1() + id3v2(5000) + plain(), frame=2 * frame, parts=[high, high])
    shop.changed("joined-rates.mp3", lambda: low().read_bytes() + plain(), frame=576 / 8000, parts=[low, high])
    shop.changed("cut.mp3", lambda: plain()[:len(plain()) * 2 // 3], frame=frame)
    for layer, codec in ((2, "mp2"),):
        for rate in (16000, 44100, 48000):
            shop.ffmpeg(f"layer-{layer}-{rate}.mp2", shop.tone(rate, 1.37), "-c:a", codec, "-f", "mp2", frame=1152 / rate)


def aac(shop):
    for rate in (8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000):
        tone = shop.tone(rate, 1.37)
        shop.ffmpeg(f"aac-{rate}.aac", tone, "-c:a", "aac", frame=1024 / rate)
        shop.ffmpeg(f"aac-{rate}.m4a", tone, "-c:a", "aac", frame=1024 / rate)
    low, high = shop.tone(8000, 1.37), shop.tone(44100, 2.11)
    one = lambda: encoded(shop, "one.aac", low, "-c:a", "aac")
    two = lambda: encoded(shop, "two.aac", high, "-c:a", "aac")
    shop.changed("joined.aac", lambda: two().read_bytes() * 2, frame=1024 / 44100)
    shop.changed("joined-rates.aac", lambda: two().read_bytes() + one().read_bytes(), frame=1024 / 8000, parts=[two, one])
    shop.changed("tagged.aac", lambda: id3v2(3000) + two().read_bytes() + id3v1(), frame=1024 / 44100, parts=[two])
    shop.changed("ape-tagged.aac", lambda: two().read_bytes() + apev2(3000), frame=1024 / 44100, parts=[two])
    shop.changed("cut.aac", lambda: two().read_bytes()[:len(two().read_bytes()) // 2], frame=1024 / 44100)


def ogg(shop):
    for rate in (8000, 16000, 22050, 44100, 48000, 96000):
        tone = shop.tone(rate, 1.37)
        shop.tool(f"vorbis-{rate}.ogg", "oggenc", "--quiet", tone, "-o", shop.at(f"vorbis-{rate}.ogg"),
                  frame=1024 / rate)
        shop.ffmpeg(f"opus-{rate}.opus", tone, "-c:a", "libopus", frame=0.02)
    tone, stereo = shop.tone(48000, 2.11), shop.tone(48000, 2.11, 2)
    for size in (2.5, 5, 10, 40, 60):
        shop.tool(f"opus-{size}.opus", "opusenc", "--quiet", "--framesize", size, tone, shop.at(f"opus-{size}.opus"), frame=size / 1000)
    shop.tool("opus-stereo.opus", "opusenc", "--quiet", "--bitrate", "24", stereo, shop.at("opus-stereo.opus"), frame=0.02)
    shop.ffmpeg("vorbis-ffmpeg.ogg", stereo, "-c:a", "libvorbis", "-q:a", "1", frame=0.02)
    shop.ffmpeg("flac.oga", tone, "-c:a", "flac")
    shop.tool("flac-ogg.ogg", "flac", "--silent", "--force", "--ogg", tone, "-o", shop.at("flac-ogg.ogg"))
    shop.piped("piped.opus", tone, "-c:a", "libopus", "-f", "ogg", frame=0.02)
    shop.piped("piped.ogg", tone, "-c:a", "libvorbis", "-f", "ogg", frame=0.02)
    for codec in ("libopus", "libvorbis"):
        whole = lambda codec=codec: encoded(shop, f"{codec}.ogg", shop.tone(48000, 5.03), "-c:a", codec, "-page_duration", "200000")
        def cut(codec=codec, whole=whole):
            path = shop.at(f"cut-{codec}.ogg")
            run(*FFMPEG, "-ss", "1.5", "-i", whole(), "-c", "copy", path)
            # ffmpeg decodes the lead-in, which a cut within Opus needs and which the first page excludes.
            return Made(path, 0.05, 3.53)
        shop.job(cut)
    shop.ffmpeg("video.ogv", stereo, "-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=3", "-c:v", "libtheora",
                "-c:a", "libvorbis", "-map", "1:v", "-map", "0:a", frame=0.02)


def mp4(shop):
    tone, stereo, frame = shop.tone(44100, 3.3), shop.tone(44100, 3.3, 2), 1024 / 44100
    fragmented = ["-movflags", "frag_keyframe+empty_moov", "-frag_duration", "500000"]
    for name, options in (("fragments", fragmented), ("first-in-moov", ["-movflags", "frag_keyframe", "-frag_duration", "1000000"]),
                          ("delayed", ["-movflags", "frag_keyframe+delay_moov", "-frag_duration", "500000"]),
                          ("cmaf", ["-movflags", "cmaf+frag_keyframe", "-frag_duration", "700000"]),
                          ("based", ["-movflags", "frag_keyframe+empty_moov+default_base_moof+separate_moof", "-frag_duration", "500000"]),
                          ("faststart", ["-movflags", "faststart"]), ("scale", ["-movie_timescale", "48000"])):
        # ffmpeg does not apply the edit list of a fragmented file.
        seconds = 3.3 if name == "delayed" else None
        shop.ffmpeg(f"aac-{name}.mp4", tone, "-c:a", "aac", *options, frame=frame, seconds=seconds)
    shop.piped("aac-piped.mp4", tone, "-c:a", "aac", *fragmented, "-f", "mp4", frame=frame)
    for codec, length in (("alac", 0), ("flac", 0), ("libopus", 0.02), ("libmp3lame", 1152 / 44100), ("ac3", 1536 / 44100)):
        shop.ffmpeg(f"{codec}.mp4", stereo, "-c:a", codec, "-strict", "-2", frame=length)
        shop.ffmpeg(f"{codec}-fragments.mp4", stereo, "-c:a", codec, "-strict", "-2", "-movflags",
                    "frag_keyframe+delay_moov", "-frag_duration", "500000", frame=length, seconds=3.3)
    for codec in ("pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_f32le", "pcm_mulaw", "alac"):
        shop.ffmpeg(f"{codec}.mov", stereo, "-c:a", codec)
    shop.ffmpeg("ima4.mov", stereo, "-c:a", "adpcm_ima_qt", frame=64 / 44100)
    shop.ffmpeg("aac.mov", stereo, "-c:a", "aac", frame=frame)
    shop.ffmpeg("film.mp4", tone, "-f", "lavfi", "-i", "testsrc=size=16x16:rate=5:duration=5", "-c:v", "mpeg4",
                "-c:a", "aac", "-map", "1:v", "-map", "0:a", frame=frame)
    shop.ffmpeg("two-tracks.mp4", tone, "-f", "lavfi", "-i", "sine=duration=1:sample_rate=48000", "-c:a", "aac",
                "-map", "0:a", "-map", "1:a", frame=frame)

    def cut_film():
        film = encoded(shop, "film.mp4", tone, "-f", "lavfi", "-i", "testsrc=size=16x16:rate=5:duration=6", "-c:v", "mpeg4",
                       "-g", "10", "-c:a", "aac", "-map", "1:v", "-map", "0:a")
        run(*FFMPEG, "-ss", "1.1", "-i", film, "-t", "1.7", "-c", "copy", shop.at("cut.mp4"))
        return Made(shop.at("cut.mp4"), 2 * frame)
    shop.job(cut_film)

    def dash():
        folder = shop.at("dash")
        folder.mkdir()
        run(*FFMPEG, "-i", tone, "-c:a", "aac", "-f", "dash", "-seg_duration", "1", folder / "out.mpd")
        parts = sorted(folder.glob("init-*")) + sorted(folder.glob("chunk-*"))
        shop.at("dash.mp4").write_bytes(b"".join(part.read_bytes() for part in parts))
        return Made(shop.at("dash.mp4"), frame, 3.3)
    shop.job(dash)


def odd(shop):
    # No Debian package encodes AMR, so these are frames of silence.
    shop.changed("narrow.amr", lambda: b"#!AMR\n" + (b"\x3c" + bytes(31)) * 68, frame=0.02)
    shop.changed("narrow-mixed.amr", lambda: b"#!AMR\n" + (b"\x3c" + bytes(31) + b"\x04" + bytes(12)) * 40, frame=0.02)
    shop.changed("wide.awb", lambda: b"#!AMR-WB\n" + (b"\x04" + bytes(17)) * 68, frame=0.02)
    shop.ffmpeg("mp3.wav", shop.tone(44100, 2.11), "-c:a", "libmp3lame", "-write_xing", "0", frame=1152 / 44100)


def refused(shop):
    tone = shop.tone(44100, 1.37)
    for name, options, words in (
            ("a.mka", ["-c:a", "flac"], "Matroska with FLAC"), ("a.webm", ["-c:a", "libopus"], "WebM with Opus"),
            ("vorbis.webm", ["-c:a", "libvorbis"], "WebM with Vorbis"), ("a.ts", ["-c:a", "aac"], "MPEG transport stream with AAC"),
            ("mp2.ts", ["-c:a", "mp2"], "MPEG transport stream with MPEG audio"), ("a.wv", [], "WavPack"), ("a.tta", [], "TTA"),
            ("a.wma", [], "ASF with WMA"), ("a.flv", ["-c:a", "libmp3lame"], "FLV with MP3"), ("a.avi", ["-c:a", "mp2"], "AVI with MP2"),
            ("a.ac3", [], "AC-3"), ("a.eac3", [], "E-AC-3"), ("a.w64", [], "Wave64"), ("a.latm", ["-c:a", "aac"], "LOAS with AAC"),
            ("wma.wav", ["-c:a", "wmav2", "-f", "wav"], "WAV with WMA"), ("speex.ogg", ["-ar", "16000", "-c:a", "libspeex"], "Ogg with Speex"),
            ("g722.wav", ["-ar", "16000", "-c:a", "g722"], "WAV with G.722"), ("eac3.mp4", ["-c:a", "eac3"], "MP4 with E-AC-3")):
        shop.ffmpeg(name, tone, *options, refused=words)
    unfinished = lambda: encoded(shop, "live.opus", shop.tone(48000, 3.3), "-c:a", "libopus", "-page_duration", "200000").read_bytes()
    shop.changed("live.opus", lambda: unfinished()[:unfinished().rfind(b"OggS")], refused="its recording was not finished")
    chain = lambda: encoded(shop, "chain.opus", shop.tone(48000, 1.37), "-c:a", "libopus").read_bytes()
    shop.changed("chain.opus", lambda: chain() + chain(), refused="several recordings follow one another")


def judge(made, found):
    """What is wrong with this result, or nothing."""
    milliseconds, frames, rate, reason = found
    if made.refused:
        if milliseconds != "-":
            return f"measured as {milliseconds} ms, which {made.refused} must not be"
        return "" if reason.startswith(made.refused) else f"refused as {reason!r}, not as {made.refused!r}"
    if milliseconds == "-":
        return f"refused: {reason}"
    try:
        expected = made.seconds or sum(decoded_seconds(path) for path in made.parts or [made.path])
    except subprocess.CalledProcessError:
        return "ffmpeg does not read it"
    seconds = int(frames) / int(rate)
    tolerance = made.frame + 0.001
    if abs(seconds - expected) <= tolerance:
        return ""
    return f"{seconds * 1000:.1f} ms, but {expected * 1000:.1f} ms are decoded (within {tolerance * 1000:.1f})"


def measure(program, paths):
    answer = subprocess.run([program, *map(str, paths)], capture_output=True, text=True, check=True).stdout
    lines = (line.split("\t") for line in answer.splitlines())
    return {line[0]: (line[1], line[2], line[3], line[5]) for line in lines}


def attempt(make):
    try:
        return make()
    except (RuntimeError, subprocess.CalledProcessError) as error:
        return error


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        shop = Workshop(pathlib.Path(folder))
        plan(shop)
        with concurrent.futures.ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
            made = list(pool.map(attempt, shop.jobs))
            files = [made for made in made if isinstance(made, Made)]
            found = measure(program, [made.path for made in files])
            faults = list(pool.map(lambda made: judge(made, found[str(made.path)]), files))
    failed = [(made.path.name, fault) for made, fault in zip(files, faults) if fault]
    failed += [("not made", str(made)) for made in made if not isinstance(made, Made)]
    for name, fault in failed:
        print(f"{name}: {fault}")
    refused_count = sum(found[str(made.path)][0] == "-" for made in files)
    print(f"{len(files)} files: {len(files) - refused_count} measured, {refused_count} refused")
    print(f"{len(made) - len(failed)} passed, {len(failed)} failed")
    is_enough = len(files) >= FILES_MIN and refused_count <= REFUSED_MAX * len(files)
    if not is_enough:
        print(f"There must be {FILES_MIN} files, and at most {REFUSED_MAX:.0%} refused.")
    return 0 if is_enough and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
