// Irises, completed: painting what a lid uncovers of an iris that the source does not show, for resample_box.
// Twin: kernels/cpu/iris_paint.py; kernels/cpu/iris.py explains the numbers. The records are uncovered.cu's.

constexpr int IRIS_HEAD = 12;
constexpr int IRIS_PLACES = 17;
constexpr int IRIS_BINS = 24;
constexpr int IRIS_PROFILE = IRIS_HEAD + 4 * IRIS_PLACES;
constexpr int IRIS_NUMBERS = IRIS_PROFILE + 8 * IRIS_BINS;
constexpr int IRIS_WEIGHT = 16;
constexpr float IRIS_REACH = 1.7f;
constexpr float IRIS_FADE = 1.4f;
constexpr float IRIS_COVERS_FROM = -1.35f;
constexpr float IRIS_COVERS_TO = -1.05f;
constexpr float IRIS_OPEN_FROM = 0.55f;
constexpr float IRIS_OPEN_TO = 0.95f;
constexpr float IRIS_LEAST_MOVE = 0.03f;
constexpr float IRIS_LEAST_PX = 2.0f;
constexpr float IRIS_UPPER_FROM = 0.12f;
constexpr float IRIS_UPPER_TO = 0.4f;
constexpr float IRIS_LOWER_FROM = 0.04f;
constexpr float IRIS_LOWER_TO = 0.2f;
constexpr float IRIS_OVERLAP = 0.35f;
constexpr float IRIS_SHADE = 0.6f;
constexpr float IRIS_SHADE_DEPTH = 0.9f;
constexpr float IRIS_ENOUGH = 24.0f;
constexpr float IRIS_FINE_PX = 7.0f;

static __device__ __forceinline__ float ramp(float value, float start, float end) {
    return clamped((value - start) / (end - start), 0.0f, 1.0f);
}

// The square of a distance from the centre, in radii.
static __device__ __forceinline__ float far_of(const float* record, float along, float across) {
    const float u = along * record[10], v = across * record[11];
    return u * u + v * v;
}

// Twin of `place_of`.
static __device__ __forceinline__ float place_of(const float* record, float along) {
    const float half = 0.5f * (IRIS_PLACES - 1);
    return clamped(half + along * record[10] * (half / IRIS_REACH), 0.0f, (float)(IRIS_PLACES - 1));
}

// Twin of `height_at`. line: 0 and 1 before the edit, upper and lower; 2 and 3 after it.
static __device__ float height_at(const float* record, int line, float place) {
    const int low = min((int)place, IRIS_PLACES - 2);
    const float* first = record + IRIS_HEAD + line * IRIS_PLACES + low;
    return first[0] + (place - (float)low) * (first[1] - first[0]);
}

static __device__ __forceinline__ unsigned char mixed_byte(unsigned char there, float colour, float alpha) {
    return (unsigned char)(int)((float)there + alpha * (colour - (float)there) + 0.5f);
}

// Twin of `_paint_pixel`, for a pixel whose centre is (x, y) of the picture.
static __device__ void paint_iris(const float* record, float x, float y, unsigned char* pixel) {
    const float tall = record[5], reach = IRIS_REACH * tall + 1.0f;
    const float away_x = x - (record[0] + record[2]), away_y = y - (record[1] + record[3]);
    if (fabsf(away_x) > reach || fabsf(away_y) > reach) return;
    const float along = away_x * record[6] + away_y * record[7];
    const float across = away_y * record[6] - away_x * record[7];
    const float square = far_of(record, along, across);
    if (square >= IRIS_REACH * IRIS_REACH) return;
    const float there = place_of(record, along);
    const float edges[2] = {height_at(record, 2, there), height_at(record, 3, there)};
    const float below = across - edges[0], above = edges[1] - across, band = record[8];
    if (!(below > 0.3f * band && above > 0.3f * band)) return;
    float hidden = 0.0f;
    for (int side = 0; side < 2; ++side) {
        const float sign = side ? -1.0f : 1.0f, was = height_at(record, side, there);
        const float uncovered = sign * (was - edges[side]), beyond = sign * (across - was);
        if (!(uncovered > 0.0f && beyond < IRIS_OVERLAP * tall)) continue;
        const float middle = record[IRIS_HEAD + side * IRIS_PLACES + IRIS_PLACES / 2];
        const float covers = ramp(sign * middle * record[11], IRIS_COVERS_FROM, IRIS_COVERS_TO);
        const float overlap = fminf(IRIS_OVERLAP * (0.3f + 0.7f * covers) * tall, uncovered);
        float share = clamped(1.0f - beyond / overlap, 0.0f, 1.0f);
        share *= share * (3.0f - 2.0f * share);
        hidden = fmaxf(hidden, share * fminf(uncovered * record[11] * 10.0f, 1.0f));
    }
    if (!(hidden > 0.0f)) return;
    const float open_here = fminf(ramp(below / band, 0.3f, 1.0f), ramp(above / band, 0.3f, 1.0f));
    const float far = sqrtf(square);
    const float place = fmaxf(far * (IRIS_BINS / IRIS_REACH) - 0.5f, 0.0f);
    const int low = min((int)place, IRIS_BINS - 2);
    const float part = fminf(place - (float)low, 1.0f);
    const float turn = clamped(0.5f + along * record[10] * (1.0f / 1.4f), 0.0f, 1.0f);
    const float lit = 1.0f - fminf(below * record[11] * (1.0f / IRIS_SHADE_DEPTH), 1.0f);
    float sure = 0.0f, red = 0.0f, green = 0.0f, blue = 0.0f;
    for (int side = 0; side < 2; ++side) {
        for (int n = 0; n < 2; ++n) {
            const float* bin = record + IRIS_PROFILE + 4 * (side * IRIS_BINS + low + n);
            const float share = (side ? turn : 1.0f - turn) * (n ? part : 1.0f - part) * bin[3];
            sure += share, red += share * bin[0], green += share * bin[1], blue += share * bin[2];
        }
    }
    if (!(sure > 0.0f)) return;
    const float alpha = record[9] * hidden * open_here * (1.0f - ramp(far, IRIS_FADE, IRIS_REACH)) * sure;
    const float light = (1.0f - IRIS_SHADE * lit * lit) / sure;
    pixel[0] = mixed_byte(pixel[0], red * light, alpha);
    pixel[1] = mixed_byte(pixel[1], green * light, alpha);
    pixel[2] = mixed_byte(pixel[2], blue * light, alpha);
}

// All irises of a picture: records: float32 [MESH_OPENINGS_MAX, IRIS_NUMBERS].
static __device__ __forceinline__ void paint_irises(
    const float* records, int count, int x, int y, unsigned char* pixel) {
    for (int n = 0; n < count; ++n) {
        const float* record = records + n * IRIS_NUMBERS;
        if (record[9] > 0.0f) paint_iris(record, (float)x + 0.5f, (float)y + 0.5f, pixel);
    }
}
