// The skin's maps of a face, added up by the weights of its edit. Twins: `SkinMaps.weights` of
// rtfilter/face/skin.py, rtfilter/render/gain.py and `add_maps` of kernels/cpu/gain.py.

constexpr int SKIN_BLOCK = 256;
constexpr int SKIN_MAPS_MAX = 16;
constexpr int SKIN_SIDE_MAX = 256;
constexpr int SKIN_NUMBERS = 52;  // of an offset
constexpr int SKIN_MIXING = 832;  // SKIN_MAPS_MAX * SKIN_NUMBERS
constexpr int SKIN_TEXELS = SKIN_SIDE_MAX * SKIN_SIDE_MAX;
constexpr float SKIN_WEIGHT_MAX = 100.0f;

// The maps of a person; one of a table.
struct SkinParameters {
    int map_count, side;         // maps [map_count, side, side], dense at the beginning of their room
    float colour[3];             // each channel's share of the change
    float quiet;                 // a gain that changes no pixel by half a level
    float step[SKIN_MAPS_MAX];   // log gain of one step of each map's whole numbers
    float peak[SKIN_MAPS_MAX];   // largest log gain of each map, either way
    float mixing[SKIN_MIXING];   // weights of an offset, [SKIN_MAPS_MAX, SKIN_NUMBERS]
};

static __device__ __forceinline__ float finite_or_none(float value, float most) {
    return fabsf(value) < 3.0e38f ? clamped(value, -most, most) : 0.0f;  // false for NaN
}

// persons: int32 [batch], rows of skins. skins: the table. maps: int16 [rows, SKIN_MAPS_MAX * SKIN_TEXELS].
// offset: float32 [batch, SKIN_NUMBERS]. gain_log: float32 [batch, landmark_count].
// texture: float32 [batch, SKIN_TEXELS], written: log gain, [side, side]. lights: [batch], written.
extern "C" __global__ void __launch_bounds__(SKIN_BLOCK) add_maps(
    const int* __restrict__ persons, const SkinParameters* __restrict__ skins, const short* __restrict__ maps,
    const float* __restrict__ offset, const float* __restrict__ gain_log, int landmark_count,
    float* __restrict__ texture, SkinReport* __restrict__ lights) {
    __shared__ float weights[SKIN_MAPS_MAX];
    __shared__ float most[SKIN_BLOCK];
    const int thread = threadIdx.x, row = persons[blockIdx.z];
    const SkinParameters& p = skins[row];
    const int count = p.map_count, texels = p.side * p.side;
    if (thread < count) {
        const float* mixing = p.mixing + thread * SKIN_NUMBERS;
        const float* mine = offset + (long long)SKIN_NUMBERS * blockIdx.z;
        float weight = 0.0f;
        for (int n = 0; n < SKIN_NUMBERS; ++n) weight += mixing[n] * mine[n];
        weights[thread] = finite_or_none(weight, SKIN_WEIGHT_MAX);
    }
    if (blockIdx.x == 0) {
        float largest = 0.0f;
        for (int n = thread; n < landmark_count; n += SKIN_BLOCK) {
            const float light = gain_log[(long long)landmark_count * blockIdx.z + n];
            largest = fmaxf(largest, fabsf(finite_or_none(light, GAIN_MAX)));
        }
        most[thread] = largest;
    }
    __syncthreads();
    if (blockIdx.x == 0 && thread == 0) {
        float bound = 0.0f;
        for (int n = 0; n < SKIN_BLOCK; ++n) bound = fmaxf(bound, most[n]);
        for (int k = 0; k < count; ++k) bound += fabsf(weights[k]) * p.peak[k];
        SkinReport light = {};
        light.lit = bound >= 0.5f * p.quiet;
        light.side = p.side, light.quiet = p.quiet;
        for (int c = 0; c < 3; ++c) light.colour[c] = p.colour[c];
        lights[blockIdx.z] = light;
    }
    const short* room = maps + (long long)SKIN_MAPS_MAX * SKIN_TEXELS * row;
    float* out = texture + (long long)SKIN_TEXELS * blockIdx.z;
    for (int n = blockIdx.x * SKIN_BLOCK + thread; n < texels; n += gridDim.x * SKIN_BLOCK) {
        float sum = 0.0f;
        for (int k = 0; k < count; ++k) {
            if (weights[k] != 0.0f) sum += weights[k] * (p.step[k] * (float)room[k * texels + n]);
        }
        out[n] = sum;
    }
}

// The log gain of a cell of skin: the texture's at its place in UV, and that of the landmarks around. With the
// weights of a triangle's corners at the cell's centre, which are landmarks. Twin: `rasterise_lit`.
static __device__ float log_gain_at(
    const float* texture, int side, const float2* uv, const float* gain_log, int4 corners, float w, float2 at) {
    const float2 a = uv[corners.x], b = uv[corners.y], c = uv[corners.z];
    const float last = (float)(side - 1);
    const float column = clamped((w * a.x + at.x * b.x + at.y * c.x) * (float)side - 0.5f, 0.0f, last);
    const float row = clamped((w * a.y + at.x * b.y + at.y * c.y) * (float)side - 0.5f, 0.0f, last);
    const int k = min((int)column, max(side - 2, 0)), n = min((int)row, max(side - 2, 0));
    const int right = min(k + 1, side - 1), below = min(n + 1, side - 1);
    const float tx = column - (float)k, ty = row - (float)n;
    const float* upper = texture + n * side;
    const float* lower = texture + below * side;
    const float first = upper[k] + (upper[right] - upper[k]) * tx;
    const float second = lower[k] + (lower[right] - lower[k]) * tx;
    const float light = w * finite_or_none(gain_log[corners.x], GAIN_MAX) +
                        at.x * finite_or_none(gain_log[corners.y], GAIN_MAX) +
                        at.y * finite_or_none(gain_log[corners.z], GAIN_MAX);
    return light + first + (second - first) * ty;
}
