#!/bin/sh
# Makes testclip.ts, the picture of `stratus demo`: 30 s of a moving test pattern with a counter and a tone.
# H.264 + AAC, one key frame a second, about 1 MB. Run once; the result is committed, so nobody needs ffmpeg.
# Another ffmpeg or x264 makes other bytes of the same kind; nothing depends on the exact ones.
set -eu
cd "$(dirname "$0")"
ffmpeg -hide_banner -loglevel error -y \
    -f lavfi -i "testsrc2=size=320x180:rate=25" \
    -f lavfi -i "sine=frequency=440:beep_factor=4:sample_rate=44100" \
    -t 30 -map 0:v -map 1:a \
    -c:v libx264 -preset veryslow -profile:v main -pix_fmt yuv420p \
    -g 25 -keyint_min 25 -sc_threshold 0 -bf 2 -b:v 205k -maxrate 240k -bufsize 240k -threads 1 \
    -c:a aac -b:a 32k -ac 1 \
    -map_metadata -1 -metadata service_name=Stratus -metadata service_provider=Stratus \
    -f mpegts testclip.ts
