// Around and within the landmarks: a ring that fades the edit out, the irises' rigid cores, and the grid that
// all of it is drawn on. Twins: kernels/cpu/extend.py, and `CpuRenderer.flow` for the grid. One block a
// picture: the launch costs more than the work.

constexpr int MESH_BLOCK = 256;
constexpr int MESH_VERTICES_MAX = 1024;
constexpr int MESH_OVAL_MAX = 64;
constexpr int MESH_LOOPS_MAX = 4;
constexpr int MESH_EYES_MAX = 2;
constexpr int MESH_LIDS_MAX = 32;
constexpr float CELLS_PER_IOD = 48.0f;
constexpr float LARGE_IOD_PX = 130.0f;  // a larger face is resampled with four taps

struct MeshParameters {
    int landmark_count;                // 478
    int oval_count;                    // landmarks around the face, at most MESH_OVAL_MAX
    int loop_count;                    // loops of the ring, at most MESH_LOOPS_MAX
    int eye_count;                     // at most MESH_EYES_MAX
    int iris_count;                    // landmarks of an iris, its centre first
    int lid_count;                     // landmarks around an eye's opening, at most MESH_LIDS_MAX
    float loop_iod[MESH_LOOPS_MAX];    // each loop's distance from the oval
    float loop_share[MESH_LOOPS_MAX];  // and its share of the oval's offset
    float core_radius;                 // of an iris's rigid core, in iris radii
    float core_share;                  // the most of the way to the lids that the core takes
    float iris_clearance;              // from the lids' lines, in iris radii, below which the core is let go
};

struct MeshMemory {
    float x[MESH_VERTICES_MAX], y[MESH_VERTICES_MAX], z[MESH_VERTICES_MAX];  // after the edit
    float dx[MESH_VERTICES_MAX], dy[MESH_VERTICES_MAX];
    float4 reduced[MESH_BLOCK];
    float cross[2][MESH_EYES_MAX * MESH_LIDS_MAX];      // before and after the edit: twice the area beside
    float clearance[2][MESH_EYES_MAX * MESH_LIDS_MAX];  // each side of the lids, and its line's distance
    float middle_x, middle_y;                           // of the oval
    float eye_x[MESH_EYES_MAX], eye_y[MESH_EYES_MAX], eye_dx[MESH_EYES_MAX], eye_dy[MESH_EYES_MAX];
    float eye_z[MESH_EYES_MAX], eye_radius[MESH_EYES_MAX];
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

static __device__ __forceinline__ float length_of(float x, float y) { return sqrtf(x * x + y * y); }

// As `line_clearance`, of the sides whose crosses and distances lie in `m`.
static __device__ float clearance_of(const MeshMemory& m, int after, int first, int count) {
    float turn = 0.0f, least = 3.0e38f, most = -3.0e38f;
    for (int k = first; k < first + count; ++k) {
        turn += m.cross[after][k];
        least = fminf(least, m.clearance[after][k]);
        most = fmaxf(most, m.clearance[after][k]);
    }
    return turn > 0.0f ? least : turn < 0.0f ? -most : 0.0f;
}

// The middle of an eye's core and how it moves, by one thread.
static __device__ void find_core(
    MeshMemory& m, const MeshParameters& p, int eye, const float* points, const float* offset, const int* iris,
    const int* lids) {
    float mean_x = 0.0f, mean_y = 0.0f, mean_z = 0.0f, mean_dx = 0.0f, mean_dy = 0.0f, radius = 0.0f;
    for (int k = 0; k < p.lid_count; ++k) {
        const int n = lids[k];
        mean_dx += m.dx[n], mean_dy += m.dy[n];
        mean_x += points[3 * n], mean_y += points[3 * n + 1], mean_z += points[3 * n + 2];
    }
    const float share = 1.0f / (float)p.lid_count;
    mean_x *= share, mean_y *= share, mean_z *= share, mean_dx *= share, mean_dy *= share;
    const float x = points[3 * iris[0]], y = points[3 * iris[0] + 1];
    const float dx = offset[2 * iris[0]], dy = offset[2 * iris[0] + 1];
    for (int k = 1; k < p.iris_count; ++k) radius += length_of(points[3 * iris[k]] - x, points[3 * iris[k] + 1] - y);
    radius /= (float)(p.iris_count - 1);
    const int first = eye * MESH_LIDS_MAX;
    const float clearance =
        fminf(clearance_of(m, 0, first, p.lid_count), clearance_of(m, 1, first, p.lid_count));
    const float hold = clamped(clearance / fmaxf(p.iris_clearance * radius, 1e-6f), 0.0f, 1.0f);
    m.eye_x[eye] = hold * x + (1.0f - hold) * mean_x, m.eye_y[eye] = hold * y + (1.0f - hold) * mean_y;
    m.eye_dx[eye] = hold * dx + (1.0f - hold) * mean_dx, m.eye_dy[eye] = hold * dy + (1.0f - hold) * mean_dy;
    m.eye_z[eye] = mean_z, m.eye_radius[eye] = radius;
}

// points_px: float32 [batch, landmark_count, 3] before the edit. offset_px: float32 [batch, landmark_count, 2].
// iod_px: float32 [batch]. indices: int32, the oval, then for each eye its iris and its lids.
// vertices: float4 [batch, MESH_VERTICES_MAX], written: x, y in cells, z. flows: float2, backward, in pixels.
extern "C" __global__ void __launch_bounds__(MESH_BLOCK) mesh_extend(
    const MeshParameters* __restrict__ parameters, const float* __restrict__ points_px,
    const float* __restrict__ offset_px, const float* __restrict__ iod_px, const int* __restrict__ indices,
    float4* __restrict__ vertices, float2* __restrict__ flows, WarpReport* __restrict__ reports) {
    __shared__ MeshMemory m;
    const MeshParameters& p = parameters[blockIdx.z];
    const int thread = threadIdx.x, count = p.landmark_count;
    const float* points = points_px + 3LL * count * blockIdx.z;
    const float* offset = offset_px + 2LL * count * blockIdx.z;
    const float iod = iod_px[blockIdx.z];
    const int eye_stride = p.iris_count + p.lid_count;
    const int core_first = count + p.loop_count * p.oval_count;
    const int total = core_first + p.eye_count * (p.lid_count + 1);

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

    // The sides of the lids, as seen from the iris's centre.
    if (thread < p.eye_count * MESH_LIDS_MAX && thread % MESH_LIDS_MAX < p.lid_count) {
        const int* iris = indices + p.oval_count + thread / MESH_LIDS_MAX * eye_stride;
        const int* lids = iris + p.iris_count;
        const int k = thread % MESH_LIDS_MAX, a = lids[k], b = lids[k + 1 < p.lid_count ? k + 1 : 0];
        for (int after = 0; after < 2; ++after) {
            const float share = after ? 1.0f : 0.0f;
            const float ax = points[3 * a] + share * m.dx[a], ay = points[3 * a + 1] + share * m.dy[a];
            const float bx = points[3 * b] + share * m.dx[b], by = points[3 * b + 1] + share * m.dy[b];
            const float x = points[3 * iris[0]] + share * m.dx[iris[0]];
            const float y = points[3 * iris[0] + 1] + share * m.dy[iris[0]];
            const float cross = (bx - ax) * (y - ay) - (by - ay) * (x - ax);
            m.cross[after][thread] = cross;
            m.clearance[after][thread] = cross / fmaxf(length_of(bx - ax, by - ay), 1e-6f);
        }
    }
    __syncthreads();
    // Sums of a few dozen numbers: one thread each, in three different warps.
    if (thread % 32 == 0 && thread / 32 < p.eye_count) {
        const int* iris = indices + p.oval_count + thread / 32 * eye_stride;
        find_core(m, p, thread / 32, points, offset, iris, iris + p.iris_count);
    }
    if (thread == 32 * MESH_EYES_MAX) {
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
    for (int n = thread; n < p.eye_count * (p.lid_count + 1); n += MESH_BLOCK) {
        const int eye = n / (p.lid_count + 1), k = n % (p.lid_count + 1), to = core_first + n;
        const int* lids = indices + p.oval_count + eye * eye_stride + p.iris_count;
        const float after_x = m.eye_x[eye] + m.eye_dx[eye], after_y = m.eye_y[eye] + m.eye_dy[eye];
        m.dx[to] = m.eye_dx[eye], m.dy[to] = m.eye_dy[eye];
        if (k == p.lid_count) {
            m.x[to] = after_x, m.y[to] = after_y, m.z[to] = m.eye_z[eye];
            continue;
        }
        const float* was = points + 3 * lids[k];
        const float out_x = m.x[lids[k]] - after_x, out_y = m.y[lids[k]] - after_y;
        const float far = length_of(out_x, out_y), before = length_of(was[0] - m.eye_x[eye], was[1] - m.eye_y[eye]);
        const float reach =
            fminf(p.core_share * fminf(far, before), p.core_radius * m.eye_radius[eye]) / fmaxf(far, 1e-6f);
        m.x[to] = after_x + out_x * reach, m.y[to] = after_y + out_y * reach, m.z[to] = was[2];
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
        const bool quiet = m.broken || !(moved >= STILL_PX);
        m.floor_x = floorf(low.x), m.floor_y = floorf(low.y), m.cell = (float)cell;
        WarpReport report = {};
        report.corner_x_px = (float)(m.floor_x - cell), report.corner_y_px = (float)(m.floor_y - cell);
        report.cell_px = (float)cell;
        report.columns = quiet ? 0 : clamped((int)ceil(wide / cell) + 3, 3, GRID_SIDE);
        report.rows = quiet ? 0 : clamped((int)ceil(tall / cell) + 3, 3, GRID_SIDE);
        report.taps = iod > LARGE_IOD_PX ? 4 : 6;
        report.left = report.top = GRID_SIDE;
        report.right = report.bottom = -1;
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
