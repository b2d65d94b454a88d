// Loops of points around mouth and eyes, for mesh.cu. Twins: the functions of kernels/cpu/parts.py.

static __device__ __forceinline__ float length_of(float x, float y) { return sqrtf(x * x + y * y); }

// Twin of `pulled_in`, of one point; `rim` gives the place of the k-th.
template <typename Rim>
static __device__ float2 pulled_in(Rim rim, int count, int k, float distance, float most) {
    const int half = count / 2;
    const float2 here = rim(k);
    float2 to;
    if (k == 0 || k == half) {
        const float2 before = rim((k + count - 1) % count), after = rim(k + 1);
        to = {0.5f * (before.x + after.x), 0.5f * (before.y + after.y)};
    } else {
        to = rim(count - k);
    }
    const float away_x = to.x - here.x, away_y = to.y - here.y;
    const float part = fminf(distance / fmaxf(length_of(away_x, away_y), 1e-6f), most);
    return {here.x + part * away_x, here.y + part * away_y};
}

// Twin of `between_corners`, of one point.
static __device__ float2 between_corners(const float2* rim, int count, float end, int k) {
    const int half = count / 2, column = k <= half ? k : count - k;
    const float place = half * (end + (1.0f - 2.0f * end) * column / half);
    const int left = min((int)place, half - 1);
    const float part = place - left;
    const float2 a = rim[left], b = rim[left + 1], c = rim[(count - left) % count], d = rim[count - left - 1];
    const float2 upper = {a.x + part * (b.x - a.x), a.y + part * (b.y - a.y)};
    const float2 lower = {c.x + part * (d.x - c.x), c.y + part * (d.y - c.y)};
    if (column == 0 || column == half) return {0.5f * (upper.x + lower.x), 0.5f * (upper.y + lower.y)};
    return k < half ? upper : lower;
}

// Twin of `clamped_across`.
static __device__ float2 clamped_across(const float2* rim, int count, float2 at) {
    const int half = count / 2;
    float axis_x = rim[half].x - rim[0].x, axis_y = rim[half].y - rim[0].y;
    const float length = length_of(axis_x, axis_y);
    if (length < 1e-6f) return rim[0];
    axis_x /= length, axis_y /= length;
    const float x = at.x - rim[0].x, y = at.y - rim[0].y;
    const float along = clamped(x * axis_x + y * axis_y, 0.0f, length);
    float edges[2] = {0.0f, 0.0f};
    for (int side = 0; side < 2; ++side) {
        float last = 0.0f, last_across = 0.0f;
        for (int k = 1; k <= half; ++k) {
            const float2 next = rim[side ? (count - k) % count : k];
            const float away_x = next.x - rim[0].x, away_y = next.y - rim[0].y;
            const float here = away_x * axis_x + away_y * axis_y, across = away_y * axis_x - away_x * axis_y;
            if (here >= along || k == half) {
                const float part = clamped((along - last) / fmaxf(here - last, 1e-6f), 0.0f, 1.0f);
                edges[side] = last_across + part * (across - last_across);
                break;
            }
            last = here, last_across = across;
        }
    }
    float low = edges[0], high = edges[1];
    if (low > high) low = high = 0.5f * (low + high);  // shut, or seen from behind
    const float across = clamped(y * axis_x - x * axis_y, low, high);
    return {rim[0].x + along * axis_x - across * axis_y, rim[0].y + along * axis_y + across * axis_x};
}

// Twin of `carried`.
static __device__ float2 carried(const float* offset, const int* which, int count) {
    float x = 0.0f, y = 0.0f;
    for (int k = 0; k < count; ++k) x += offset[2 * which[k]] / count, y += offset[2 * which[k] + 1] / count;
    return {x, y};
}
