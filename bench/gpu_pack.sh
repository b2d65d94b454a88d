#!/usr/bin/env bash
# What bench/gpu_session.sh needs on a machine without a network, in parts that can be carried one by one.
#
#     bench/gpu_pack.sh [FOLDER]          default .gpu; git does not see it
#
# FOLDER/1, FOLDER/2, ... hold the networks as ONNX files and an archive of packages, split. Set FOR to the GPU's
# compute capability as sm90: where TensorRT-RTX is made for it, that is packed (70 MB), else ONNX Runtime for
# CUDA 13 (63 MB). TENSORRT and ORT_GPU choose otherwise: a version, or "" for none. PYTHON is an interpreter that
# has rtfilter and its packages; PART_MB (default 42), TARGET_PYTHON (3.12), CUDA (13: 12 or 13, as the other's CuPy).
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${1:-.gpu}
python=${PYTHON:-.venv/bin/python}
part_mb=${PART_MB:-42}
cuda=${CUDA:-13}
target=${TARGET_PYTHON:-3.12}
case ${FOR:-sm89} in
    sm75 | sm80 | sm86 | sm89 | sm120 | sm121) version=${TENSORRT-1.7.1.116} ort_gpu=${ORT_GPU-} ;;
    *) version=${TENSORRT-} ort_gpu=${ORT_GPU-1.31.1} ;;
esac

rm -rf "$folder"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
printf '*\n' >"$folder/.gitignore"
staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT

echo "networks ..." >&2
RTFILTER_CACHE=$staging/cache PYTHONPATH=$PWD "$python" -c 'from rtfilter.engines.prepare.files import prepare; prepare(print)' >&2
rm -f "$staging"/cache/onnx/*.lock

mkdir "$staging/wheels"
fetch() {
    "$python" -m pip download --quiet --no-deps --only-binary=:all: --dest "$staging/wheels" \
        --python-version "$target" --implementation cp \
        --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 "$1"
}
if [ -n "$version" ]; then
    echo "TensorRT-RTX $version for CUDA $cuda, Python $target ..." >&2
    fetch "tensorrt-rtx-cu$cuda-libs==$version"
    fetch "tensorrt-rtx-cu$cuda-bindings==$version"
    # The package that brings the name `tensorrt_rtx` is pure Python and comes as source.
    "$python" -m pip wheel --quiet --no-deps --wheel-dir "$staging/wheels" "tensorrt-rtx-cu$cuda==$version"
fi
if [ -n "$ort_gpu" ]; then
    echo "ONNX Runtime $ort_gpu for CUDA ..." >&2
    fetch "onnxruntime-gpu==$ort_gpu"
fi

number=1
mkdir "$folder/1"
cp -r "$staging/cache" "$folder/1/cache"
if compgen -G "$staging/wheels/*.whl" >/dev/null; then
    echo "packing ..." >&2
    keep=${FOR:-sm89}
    "$python" bench/gpu_shrink.py "$staging/wheels" "$staging/site.tar.xz" --keep "${keep#sm}"
    split --bytes="${part_mb}M" --numeric-suffixes=1 --suffix-length=2 "$staging/site.tar.xz" "$staging/site.tar.xz.part"
    for part in "$staging"/site.tar.xz.part*; do
        mkdir -p "$folder/$number"
        mv "$part" "$folder/$number/"
        number=$((number + 1))
    done
    number=$((number - 1))
fi
du -sm "$folder"/[0-9]* >&2
echo "carry each part and keep it there: bash bench/gpu_session.sh --keep $(basename "$folder")/1; then, with the last one:" >&2
echo "    bash bench/gpu_session.sh $(basename "$folder")/$number" >&2
