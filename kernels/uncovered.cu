// The colours of irises whose lids an edit opens further, measured in the source. Twin: `measure_iris` of
// kernels/cpu/iris.py. It goes before resample_box, which paints with its records as iris.cu says.

constexpr int IRIS_BLOCK = 256;

// Twin of `_edge_at`.
static __device__ float edge_at(
    const float* points, const float* offset, const int* rim, int count, int side, bool after, float along,
    const float* record) {
    const int half = count / 2;
    float last = 0.0f, last_across = 0.0f;
    for (int k = 0; k <= half; ++k) {
        const int n = rim[side ? (count - k) % count : k];
        float x = points[3 * n] - record[0], y = points[3 * n + 1] - record[1];
        if (after) x += offset[2 * n] - record[2], y += offset[2 * n + 1] - record[3];
        const float here = x * record[6] + y * record[7], across = y * record[6] - x * record[7];
        if (here >= along || k == half) {
            if (k == 0) return across;
            const float part = clamped((along - last) / fmaxf(here - last, 1e-6f), 0.0f, 1.0f);
            return last_across + part * (across - last_across);
        }
        last = here, last_across = across;
    }
    return last_across;
}

// The record's head, by one thread; false where there is no iris to complete.
static __device__ bool find_iris(
    const float* points, const float* offset, float band_px, const int* iris, int iris_count, const int* rim,
    int count, float* record) {
    const float x = points[3 * iris[0]], y = points[3 * iris[0] + 1];
    const float *from = points + 3 * rim[0], *to = points + 3 * rim[count / 2];
    float axis_x = to[0] - from[0], axis_y = to[1] - from[1];
    const float length = length_of(axis_x, axis_y);
    if (!(length > 1e-3f)) return false;
    axis_x /= length, axis_y /= length;
    float wide = 0.0f, tall = 0.0f, shift_x = 0.0f, shift_y = 0.0f;
    for (int k = 0; k < iris_count; ++k) {
        const float away_x = points[3 * iris[k]] - x, away_y = points[3 * iris[k] + 1] - y;
        wide = fmaxf(wide, fabsf(away_x * axis_x + away_y * axis_y));
        tall = fmaxf(tall, fabsf(away_y * axis_x - away_x * axis_y));
        shift_x += offset[2 * iris[k]] / iris_count, shift_y += offset[2 * iris[k] + 1] / iris_count;
    }
    tall = fmaxf(tall, wide);
    if (!(wide >= IRIS_LEAST_PX && tall < 1e4f)) return false;
    record[0] = x, record[1] = y, record[2] = shift_x, record[3] = shift_y, record[4] = wide;
    record[5] = tall, record[6] = axis_x, record[7] = axis_y, record[8] = fmaxf(band_px, 1e-3f);
    record[10] = 1.0f / wide, record[11] = 1.0f / tall;
    // Twin of `_uncovers`.
    for (int k = 0; k < count; ++k) {
        const float* moved = offset + 2 * rim[k];
        const float up = (moved[0] - shift_x) * axis_y - (moved[1] - shift_y) * axis_x;
        if (k % (count / 2) != 0 && (k < count / 2 ? up : -up) > IRIS_LEAST_MOVE * tall) return true;
    }
    return false;
}

// parameters, points_px to indices: of mesh_extend. regions, source: parameters and source of resample_box. rooms,
// distances: of limit_offsets.
// records: float32 [batch, MESH_OPENINGS_MAX, IRIS_NUMBERS], written. A block an opening.
extern "C" __global__ void __launch_bounds__(IRIS_BLOCK) measure_irises(
    const MeshParameters* __restrict__ parameters, const float* __restrict__ points_px,
    const float* __restrict__ offset_px, const float* __restrict__ iod_px, const int* __restrict__ indices,
    const WarpReport* __restrict__ reports, const ResampleParameters* __restrict__ regions,
    const unsigned char* __restrict__ source, const RoomParameters* __restrict__ rooms,
    const float* __restrict__ distances, float* __restrict__ records) {
    __shared__ float record[IRIS_NUMBERS];
    __shared__ int sums[2 * IRIS_BINS][4];
    __shared__ int found;
    const MeshParameters& p = parameters[blockIdx.z];
    const int thread = threadIdx.x, opening = blockIdx.y;
    const float* points = points_px + 3LL * p.landmark_count * blockIdx.z;
    const float* offset = offset_px + 2LL * p.landmark_count * blockIdx.z;
    float* out = records + (long long)IRIS_NUMBERS * (MESH_OPENINGS_MAX * blockIdx.z + opening);
    const int* rim = indices + p.oval_count;
    for (int n = 0; n < opening; ++n) rim += p.rim_count[n] + p.above_count[n] + p.below_count[n];
    const int count = p.rim_count[opening];

    for (int n = thread; n < IRIS_NUMBERS; n += IRIS_BLOCK) record[n] = 0.0f;
    for (int n = thread; n < 8 * IRIS_BINS; n += IRIS_BLOCK) sums[n / 4][n % 4] = 0;
    __syncthreads();
    if (thread == 0) {
        found = 0;
        const float band_px = p.band_iod * iod_px[blockIdx.z];
        const int* iris = rim + count;
        if (p.eye[opening] && reports[blockIdx.z].rows > 0) {
            found = find_iris(points, offset, band_px, iris, p.above_count[opening], rim, count, record);
        }
    }
    __syncthreads();
    if (found && thread < 4 * IRIS_PLACES) {
        const int line = thread / IRIS_PLACES, place = thread % IRIS_PLACES;
        const float along = (place * (2.0f / (IRIS_PLACES - 1)) - 1.0f) * IRIS_REACH * record[4];
        record[IRIS_HEAD + thread] = edge_at(points, offset, rim, count, line % 2, line >= 2, along, record);
    }
    __syncthreads();
    if (found && thread == 0) {
        const float *upper = record + IRIS_HEAD, *lower = upper + IRIS_PLACES;
        const float open = lower[IRIS_PLACES / 2] - upper[IRIS_PLACES / 2];
        record[9] = ramp(open / record[5], IRIS_OPEN_FROM, IRIS_OPEN_TO);
    }
    __syncthreads();
    if (!(record[9] > 0.0f)) {
        if (thread == 0) out[9] = 0.0f;
        return;
    }
    const ResampleParameters& r = regions[blockIdx.z];
    const float x = record[0], y = record[1], tall = record[5];
    const float axis_x = record[6], axis_y = record[7], reach = IRIS_REACH * tall;
    const int step = max((int)(tall / IRIS_FINE_PX), 1);
    const int x0 = max(__float2int_rd(x - reach), r.region_x), y0 = max(__float2int_rd(y - reach), r.region_y);
    const int x1 = min(-__float2int_rd(-x - reach), r.region_x + r.region_width);
    const int y1 = min(-__float2int_rd(-y - reach), r.region_y + r.region_height);
    const int across_count = (max(x1 - x0, 0) + step - 1) / step, rows = (max(y1 - y0, 0) + step - 1) / step;
    for (int n = thread; n < across_count * rows; n += IRIS_BLOCK) {
        const int j = x0 + n % across_count * step, i = y0 + n / across_count * step;
        const float away_x = (float)j + 0.5f - x, away_y = (float)i + 0.5f - y;
        const float along = away_x * axis_x + away_y * axis_y, across = away_y * axis_x - away_x * axis_y;
        const float square = far_of(record, along, across);
        if (square >= IRIS_REACH * IRIS_REACH) continue;
        const float place = place_of(record, along);
        const float below = (across - height_at(record, 0, place)) * record[11];
        const float above = (height_at(record, 1, place) - across) * record[11];
        const float seen = ramp(below, IRIS_UPPER_FROM, IRIS_UPPER_TO) * ramp(above, IRIS_LOWER_FROM, IRIS_LOWER_TO);
        const int weight = (int)(seen * IRIS_WEIGHT + 0.5f);
        if (weight == 0) continue;
        const int bin = min((int)(sqrtf(square) * (IRIS_BINS / IRIS_REACH)), IRIS_BINS - 1);
        int* sum = sums[(along >= 0.0f ? IRIS_BINS : 0) + bin];
        const unsigned char* pixel = source + r.source_offset + (long long)(i - r.region_y) * r.source_pitch +
                                     3 * (j - r.region_x);
        atomicAdd(sum, weight * pixel[0]), atomicAdd(sum + 1, weight * pixel[1]);
        atomicAdd(sum + 2, weight * pixel[2]), atomicAdd(sum + 3, weight);
    }
    __syncthreads();
    if (thread < 2 * IRIS_BINS) {
        const int side = thread / IRIS_BINS, bin = thread % IRIS_BINS;
        float mixed[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        for (int near = -2; near <= 2; ++near) {
            const int m = bin + near, share = 3 - abs(near);
            if (m < 0 || m >= IRIS_BINS) continue;
            const int *mine = sums[side * IRIS_BINS + m], *others = sums[(1 - side) * IRIS_BINS + m];
            for (int c = 0; c < 4; ++c) mixed[c] += (float)(share * (4 * mine[c] + others[c]));
        }
        float* to = record + IRIS_PROFILE + 4 * thread;
        if (mixed[3] > 0.0f) {
            for (int c = 0; c < 3; ++c) to[c] = mixed[c] / mixed[3];
            to[3] = fminf(mixed[3] / (4.0f * IRIS_ENOUGH), 1.0f);
        }
    }
    // Last, where the fewest registers are in use: earlier, they did not suffice on sm_80.
    if (thread == 0 && rooms[blockIdx.z].side > 0) {
        const float* distance = distances + (long long)ROOM_PLACES * blockIdx.z;
        const float ends_x = record[0] + record[2], ends_y = record[1] + record[3];
        record[9] *= iris_room(rooms[blockIdx.z], distance, ends_x, ends_y, record[5]);
    }
    __syncthreads();
    for (int n = thread; n < IRIS_NUMBERS; n += IRIS_BLOCK) out[n] = record[n];
}
