# chladni on the CPU:  docker build -f docker/cpu.Dockerfile -t chladni .
#   docker run --rm -v "$PWD:/data" chladni edit --seed 7 --sound /data/rain.wav ...
FROM debian:12 AS build
WORKDIR /src
COPY . .
# not compiled for the building machine's instruction set: the image travels
RUN tools/setup.sh && cmake -G Ninja -S . -B /build -DCHLADNI_NATIVE=OFF -DCHLADNI_TESTS=OFF -DCHLADNI_BENCH=OFF \
    && cmake --build /build && cmake --install /build --prefix /opt/chladni

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends libdnnl2 libsndfile1 libsoxr0 libpng16-16 libturbojpeg0 libwebp7 libheif1 libarchive13 libmpg123-0 \
    libjansson4 libutf8proc2 libpcre2-8-0 zlib1g libgomp1 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/chladni /opt/chladni
ENTRYPOINT ["/opt/chladni/bin/chladni"]
