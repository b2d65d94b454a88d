// Around and within the landmarks: a ring that fades the edit out, what mouth and eyes show, and the grid that
// all of it is drawn on. Twins: kernels/cpu/extend.py, kernels/cpu/parts.py, and `CpuRenderer.field` for the
// grid. One block a picture: the launch costs more than the work.

constexpr int MESH_BLOCK = 256;
constexpr int MESH_VERTICES_MAX = 1024;
constexpr int MESH_OVAL_MAX = 64;
constexpr int MESH_LOOPS_MAX = 4;
constexpr int MESH_OPENINGS_MAX = 4;
constexpr int MESH_RIM_MAX = 32;
constexpr float LARGE_IOD_PX = 130.0f;  // a larger face is resampled with four taps

struct MeshParameters {
    int landmark_count;                // 478
    int oval_count;                    // landmarks around the face, at most MESH_OVAL_MAX
    int loop_count;                    // loops of the ring, at most MESH_LOOPS_MAX
    int opening_count;                 // at most MESH_OPENINGS_MAX
    int rim_count[MESH_OPENINGS_MAX];    // landmarks around an opening, even, at most MESH_RIM_MAX
    int above_count[MESH_OPENINGS_MAX];  // landmarks that carry the upper part of what it shows
    int below_count[MESH_OPENINGS_MAX];  // and its lower part
    int eye[MESH_OPENINGS_MAX];          // 1 where that is an iris, centre first, to be completed; else 0
    float end[MESH_OPENINGS_MAX];        // of the way between the corners, at either end, what is not rigid
    float loop_iod[MESH_LOOPS_MAX];    // each loop's distance from the oval
    float loop_share[MESH_LOOPS_MAX];  // and its share of the oval's offset
    float band_iod;                    // width of the band along a rim
    float band_share;                  // the most of the way across that it takes
    float row_above, row_below;        // down the core, where its upper part ends and its lower part begins
    float behind_iod;                  // of the core behind the farthest landmark
};

struct MeshMemory {
    float x[MESH_VERTICES_MAX], y[MESH_VERTICES_MAX], z[MESH_VERTICES_MAX];  // after the edit
    float dx[MESH_VERTICES_MAX], dy[MESH_VERTICES_MAX];
    float4 reduced[MESH_BLOCK];
    float2 seen[MESH_OPENINGS_MAX][MESH_RIM_MAX];  // openings before the edit, less the band
    float2 above[MESH_OPENINGS_MAX], below[MESH_OPENINGS_MAX];  // how their cores move
    float middle_x, middle_y;                                   // of the oval
    int broken;                                         // a number that is not finite
    float floor_x, floor_y, cell;
    int rows;
};

// The minimum over a block of each thread's four numbers, given to all threads.
static __device__ float4 least_of_block(float4* scratch, float4 mine) {
    __syncthreads();
    scratch[threadIdx.x] = mine;
    for (int half = MESH_BLOCK / 2; half > 0; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < half) {
            const float4 a = scratch[threadIdx.x], b = scratch[threadIdx.x + half];
            scratch[threadIdx.x] = make_float4(fminf(a.x, b.x), fminf(a.y, b.y), fminf(a.z, b.z), fminf(a.w, b.w));
        }
    }
    __syncthreads();
    return scratch[0];
}

static __device__ __forceinline__ void put_vertex(MeshMemory& m, int n, float2 at, float z, float2 moved) {
    m.x[n] = at.x, m.y[n] = at.y, m.z[n] = z, m.dx[n] = moved.x, m.dy[n] = moved.y;
}

// points_px: float32 [batch, landmark_count, 3] before the edit. offset_px: float32 [batch, landmark_count, 2].
// iod_px: float32 [batch]. lights: of add_maps. indices: int32, the oval, then for each opening its rim, and what
// carries it.
// vertices: float4 [batch, MESH_VERTICES_MAX], written: x, y in cells, z. flows: float2, backward, in pixels.
extern "C" __global__ void __launch_bounds__(MESH_BLOCK) mesh_extend(
    const MeshParameters* __restrict__ parameters, const float* __restrict__ points_px,
    const float* __restrict__ offset_px, const float* __restrict__ iod_px, const SkinReport* __restrict__ lights,
    const int* __restrict__ indices, float4* __restrict__ vertices, float2* __restrict__ flows,
    WarpReport* __restrict__ reports) {
    __shared__ MeshMemory m;
    const MeshParameters& p = parameters[blockIdx.z];
    const int thread = threadIdx.x, count = p.landmark_count;
    const float* points = points_px + 3LL * count * blockIdx.z;
    const float* offset = offset_px + 2LL * count * blockIdx.z;
    const float iod = iod_px[blockIdx.z];
    // A thread for each point of an opening's rim: which one, and where its landmarks and vertices begin.
    const int opening = thread / MESH_RIM_MAX, k = thread % MESH_RIM_MAX;
    const int* rim = indices + p.oval_count;
    int first = count + p.loop_count * p.oval_count, total = first;
    for (int n = 0; n < p.opening_count; ++n) {
        total += 3 * p.rim_count[n] - 2;
        if (n >= opening) continue;
        first += 3 * p.rim_count[n] - 2, rim += p.rim_count[n] + p.above_count[n] + p.below_count[n];
    }
    const int around = opening < p.opening_count ? p.rim_count[opening] : 0, half = around / 2;

    if (thread == 0) m.broken = 0;
    float4 low = make_float4(3.0e38f, 3.0e38f, 0.0f, 0.0f);  // -z, -|offset|
    for (int n = thread; n < count; n += MESH_BLOCK) {
        const float dx = offset[2 * n], dy = offset[2 * n + 1];
        m.x[n] = points[3 * n] + dx, m.y[n] = points[3 * n + 1] + dy, m.z[n] = points[3 * n + 2];
        m.dx[n] = dx, m.dy[n] = dy;
        low.x = fminf(low.x, -m.z[n]), low.y = fminf(low.y, fminf(-fabsf(dx), -fabsf(dy)));
    }
    low = least_of_block(m.reduced, low);
    const float farthest = -low.x, moved = -low.y;

    const auto before = [&](int n) { return float2{points[3 * rim[n]], points[3 * rim[n] + 1]}; };
    const auto after = [&](int n) { return float2{m.x[rim[n]], m.y[rim[n]]}; };
    if (k < around) {
        m.seen[opening][k] = pulled_in(before, around, k, p.band_iod * iod, p.band_share);
        const int above = p.above_count[opening], *carrier = rim + around;
        if (k == 0) m.above[opening] = carried(offset, carrier, above);
        if (k == 1) m.below[opening] = carried(offset, carrier + above, p.below_count[opening]);
    }
    if (thread == MESH_RIM_MAX * MESH_OPENINGS_MAX) {
        float x = 0.0f, y = 0.0f;
        for (int k = 0; k < p.oval_count; ++k) x += points[3 * indices[k]], y += points[3 * indices[k] + 1];
        m.middle_x = x / (float)p.oval_count, m.middle_y = y / (float)p.oval_count;
    }
    __syncthreads();

    for (int n = thread; n < p.loop_count * p.oval_count; n += MESH_BLOCK) {
        const int loop = n / p.oval_count, from = indices[n % p.oval_count], to = count + n;
        const float x = points[3 * from], y = points[3 * from + 1];
        const float away_x = x - m.middle_x, away_y = y - m.middle_y;
        const float distance = p.loop_iod[loop] * iod / fmaxf(length_of(away_x, away_y), 1e-6f);
        m.dx[to] = p.loop_share[loop] * m.dx[from], m.dy[to] = p.loop_share[loop] * m.dy[from];
        m.x[to] = x + away_x * distance + m.dx[to], m.y[to] = y + away_y * distance + m.dy[to];
        // Behind the face, so that a turned cheek covers the ring and not the other way round.
        m.z[to] = farthest + iod;
    }
    if (k < around) {
        const float2 *seen = m.seen[opening], above = m.above[opening], below = m.below[opening];
        const float back = farthest + p.behind_iod * iod, end = p.end[opening];
        const int column = k <= half ? k : around - k;
        const float low = column == 0 || column == half ? 0.5f : k < half ? 0.0f : 1.0f;
        const float2 shift = {above.x + low * (below.x - above.x), above.y + low * (below.y - above.y)};
        const float2 band = pulled_in(after, around, k, p.band_iod * iod, p.band_share);
        float2 from = clamped_across(seen, around, {band.x - shift.x, band.y - shift.y});
        const float aside = fabsf(2.0f * column / half - 1.0f);
        const float follow = clamped((aside + 2.0f * end - 1.0f) / fmaxf(end, 1e-6f), 0.0f, 1.0f);
        from = {from.x + follow * (seen[k].x - from.x), from.y + follow * (seen[k].y - from.y)};
        put_vertex(m, first + k, band, points[3 * rim[k] + 2], {band.x - from.x, band.y - from.y});
        const float2 core = between_corners(seen, around, end, k);
        put_vertex(m, first + around + k, {core.x + shift.x, core.y + shift.y}, back, shift);
        if (k >= 1 && k < half) {
            const float2 bottom = between_corners(seen, around, end, around - k);
            for (int row = 0; row < 2; ++row) {
                const float down = row ? p.row_below : p.row_above;
                const float2 moved = row ? below : above;
                const float x = core.x + down * (bottom.x - core.x), y = core.y + down * (bottom.y - core.y);
                const int to = first + 2 * around + row * (half - 1) + k - 1;
                put_vertex(m, to, {x + moved.x, y + moved.y}, back, moved);
            }
        }
    }
    __syncthreads();

    low = make_float4(3.0e38f, 3.0e38f, 3.0e38f, 3.0e38f);  // x, y, -x, -y
    for (int n = thread; n < total; n += MESH_BLOCK) {
        const float x = m.x[n], y = m.y[n];
        if (!(fabsf(x) < 1e9f && fabsf(y) < 1e9f && fabsf(m.z[n]) < 1e9f)) m.broken = 1;
        low = make_float4(fminf(low.x, x), fminf(low.y, y), fminf(low.z, -x), fminf(low.w, -y));
    }
    low = least_of_block(m.reduced, low);
    if (thread == 0) {
        // In double, as the twin: which cells there are must not depend on the lane.
        const double wide = -low.z - low.x, tall = -low.w - low.y;
        const double cell = fmax(fmax(1.0, iod / (double)CELLS_PER_IOD), fmax(wide, tall) / GRID_MAX);
        const SkinReport& light = lights[blockIdx.z];
        const bool quiet = m.broken || !(moved >= STILL_PX || light.lit);
        m.floor_x = floorf(low.x), m.floor_y = floorf(low.y), m.cell = (float)cell;
        WarpReport report = {};
        report.corner_x_px = (float)(m.floor_x - cell), report.corner_y_px = (float)(m.floor_y - cell);
        report.cell_px = (float)cell;
        report.columns = quiet ? 0 : clamped((int)ceil(wide / cell) + 3, 3, GRID_SIDE);
        report.rows = quiet ? 0 : clamped((int)ceil(tall / cell) + 3, 3, GRID_SIDE);
        report.taps = iod > LARGE_IOD_PX ? 4 : 6;
        report.left = report.top = GRID_SIDE;
        report.right = report.bottom = -1;
        report.lit = light.lit, report.quiet = light.quiet;
        for (int c = 0; c < 3; ++c) report.colour[c] = light.colour[c];
        reports[blockIdx.z] = report;
        m.rows = report.rows;
    }
    __syncthreads();
    if (m.rows == 0) return;
    for (int n = thread; n < total; n += MESH_BLOCK) {
        const long long to = (long long)MESH_VERTICES_MAX * blockIdx.z + n;
        const float x = (m.x[n] - m.floor_x) / m.cell + 1.0f, y = (m.y[n] - m.floor_y) / m.cell + 1.0f;
        vertices[to] = make_float4(x, y, m.z[n], 0.0f);
        flows[to] = {-m.dx[n], -m.dy[n]};
    }
}
