# chladni on NVIDIA GPUs, with NCCL and Open MPI:  docker build -f docker/cuda.Dockerfile -t chladni-cuda .
#   docker run --rm --gpus all --shm-size 1g -v "$PWD:/data" chladni-cuda train audio --data /data/pairs --out /data/run ... --device cuda --ranks 4
# CUDA's images have no Debian; Ubuntu 24.04 is the first with a CMake that is new enough. Not built yet.
FROM nvidia/cuda:12.8.1-cudnn-devel-ubuntu24.04 AS build
WORKDIR /src
COPY . .
# not compiled for the building machine's instruction set, and for all GPUs from Ampere on: the image travels
RUN tools/setup.sh && apt-get install -y --no-install-recommends libopenmpi-dev \
    && cmake -G Ninja -S . -B /build -DCHLADNI_CUDA=ON -DCHLADNI_MPI=ON -DCHLADNI_NATIVE=OFF -DCHLADNI_TESTS=OFF -DCHLADNI_BENCH=OFF \
    "-DCHLADNI_CUDA_ARCHITECTURES=80-real;86-real;89-real;90a-real;120" \
    && cmake --build /build && cmake --install /build --prefix /opt/chladni
# the packages of the libraries that it is linked with; CUDA's own are in the next image
RUN docker/packages.sh /opt/chladni >/opt/chladni/packages

FROM nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04
COPY --from=build /opt/chladni /opt/chladni
RUN apt-get update && xargs -r apt-get install -y --no-install-recommends openmpi-bin </opt/chladni/packages \
    && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["/opt/chladni/bin/chladni"]
