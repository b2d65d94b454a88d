// Mesh to backward flow on the grid: triangles with depth order, interpolation, softening, and what moves.
// Twins: kernels/cpu/rasterise.py and gain.py, and `_changed_box` of rtfilter/render/cpu.py. A grid lies dense in
// its memory: cell (i, j) at i * columns + j.

struct SoftenParameters {
    int picture_width, picture_height;  // in pixels
    int region_x, region_y;             // the uploaded region's corner in the picture, even
    int region_width, region_height;    // pixels; the box is cut to it
};

constexpr int RASTER_BLOCK = 256;
constexpr int RASTER_LANES = 32;  // threads that share one triangle
constexpr int FLOW_BLOCK = 256;
constexpr int EXTENT_GROUPS = 16;
constexpr int LABEL_SKIN = 1;     // cells with a higher label keep their edges
constexpr int LABEL_SHARP = 2;    // skin too, at lips and lids

struct Triangle {
    float ax, ay, bx, by, cx, cy, inverse;
};

static __device__ __forceinline__ Triangle triangle_of(const float4* vertices, int4 corners) {
    const float4 a = vertices[corners.x], b = vertices[corners.y], c = vertices[corners.z];
    Triangle t{a.x, a.y, b.x, b.y, c.x, c.y, 0.0f};
    const float area = (t.bx - t.ax) * (t.cy - t.ay) - (t.cx - t.ax) * (t.by - t.ay);
    if (fabsf(area) >= 1e-9f) t.inverse = 1.0f / area;
    return t;
}

// Weights of b and c at a cell's centre; the sign of the area cancels, so that both windings fill.
static __device__ __forceinline__ float2 weights_at(const Triangle& t, int i, int j) {
    const float x = (float)j + 0.5f, y = (float)i + 0.5f;
    return {
        ((x - t.ax) * (t.cy - t.ay) - (t.cx - t.ax) * (y - t.ay)) * t.inverse,
        ((t.bx - t.ax) * (y - t.ay) - (x - t.ax) * (t.by - t.ay)) * t.inverse};
}

// Keys grow with nearness, then with a lower index, so that the first of two equal triangles wins; 0 is none.
static __device__ __forceinline__ unsigned long long key_of(float z, int triangle) {
    const unsigned bits = __float_as_uint(z + 0.0f);  // -0 becomes 0
    const unsigned ordered = bits ^ (bits >> 31 ? 0xFFFFFFFFu : 0x80000000u);
    return ~(((unsigned long long)ordered << 32) | (unsigned)triangle);
}

// vertices: of mesh_extend. triangles: int4 [count], three corners and a label. keys: uint64 [batch, GRID_CELLS],
// all 0 before, as interpolate_flow leaves them.
extern "C" __global__ void __launch_bounds__(RASTER_BLOCK) rasterise_flow(
    const WarpReport* __restrict__ reports, const float4* __restrict__ vertices,
    const int4* __restrict__ triangles, unsigned long long* __restrict__ keys, int count) {
    const WarpReport& report = reports[blockIdx.z];
    const int n = blockIdx.x * (RASTER_BLOCK / RASTER_LANES) + threadIdx.x / RASTER_LANES;
    if (n >= count || report.rows == 0) return;
    const float4* corner = vertices + (long long)MESH_VERTICES_MAX * blockIdx.z;
    const int4 corners = triangles[n];
    const Triangle t = triangle_of(corner, corners);
    if (t.inverse == 0.0f) return;
    const float az = corner[corners.x].z, bz = corner[corners.y].z, cz = corner[corners.z].z;
    const int i0 = max(0, __float2int_ru(fminf(t.ay, fminf(t.by, t.cy)) - 0.5f));
    const int i1 = min(report.rows - 1, __float2int_rd(fmaxf(t.ay, fmaxf(t.by, t.cy)) - 0.5f));
    const int j0 = max(0, __float2int_ru(fminf(t.ax, fminf(t.bx, t.cx)) - 0.5f));
    const int j1 = min(report.columns - 1, __float2int_rd(fmaxf(t.ax, fmaxf(t.bx, t.cx)) - 0.5f));
    if (i1 < i0 || j1 < j0) return;
    const int wide = j1 - j0 + 1, cells = wide * (i1 - i0 + 1);
    unsigned long long* grid = keys + (long long)GRID_CELLS * blockIdx.z;
    for (int k = threadIdx.x % RASTER_LANES; k < cells; k += RASTER_LANES) {
        const int i = i0 + k / wide, j = j0 + k % wide;
        const float2 at = weights_at(t, i, j);
        const float w = 1.0f - at.x - at.y;
        // A hair of overlap, so that no cell falls between two triangles.
        if (at.x < -1e-5f || at.y < -1e-5f || w < -1e-5f) continue;
        // From one corner on: a flat triangle has its depth exactly, so that ties are ties.
        const float z = az + at.x * (bz - az) + at.y * (cz - az);
        if (z < 3.0e38f) atomicMax(grid + i * report.columns + j, key_of(z, n));
    }
}

// flows: of mesh_extend. flow: float2 [batch, GRID_CELLS] and label: uint8 [batch, GRID_CELLS], written.
// lights, texture: of add_maps. uv: float2 [landmark_count]; gain_log: float32 [batch, landmark_count]. log_gain:
// float32 [batch, GRID_CELLS], written where the report says that there is any; 0 beyond the skin.
extern "C" __global__ void __launch_bounds__(FLOW_BLOCK) interpolate_flow(
    const WarpReport* __restrict__ reports, const float4* __restrict__ vertices, const float2* __restrict__ flows,
    const int4* __restrict__ triangles, unsigned long long* __restrict__ keys, float2* __restrict__ flow,
    unsigned char* __restrict__ label, const SkinReport* __restrict__ lights, const float* __restrict__ texture,
    const float2* __restrict__ uv, const float* __restrict__ gain_log, int landmark_count,
    float* __restrict__ log_gain) {
    const WarpReport& report = reports[blockIdx.z];
    const float* mine = texture + (long long)SKIN_TEXELS * blockIdx.z;
    const float* light = gain_log + (long long)landmark_count * blockIdx.z;
    const int cells = report.rows * report.columns;
    const long long grid = (long long)GRID_CELLS * blockIdx.z, mesh = (long long)MESH_VERTICES_MAX * blockIdx.z;
    for (int n = blockIdx.x * FLOW_BLOCK + threadIdx.x; n < cells; n += gridDim.x * FLOW_BLOCK) {
        const unsigned long long key = keys[grid + n];
        float2 out = {0.0f, 0.0f};
        float gain = 0.0f;
        int shown = 0;
        if (key != 0) {
            const int4 corners = triangles[(unsigned)~key];
            const Triangle t = triangle_of(vertices + mesh, corners);
            const float2 at = weights_at(t, n / report.columns, n % report.columns);
            const float w = 1.0f - at.x - at.y;
            const float2 a = flows[mesh + corners.x], b = flows[mesh + corners.y], c = flows[mesh + corners.z];
            out = {w * a.x + at.x * b.x + at.y * c.x, w * a.y + at.x * b.y + at.y * c.y};
            shown = corners.w;
            if (report.lit && (shown == LABEL_SKIN || shown == LABEL_SHARP)) {
                gain = log_gain_at(mine, lights[blockIdx.z].side, uv, light, corners, w, at);
            }
            keys[grid + n] = 0;  // ready for the next frame
        }
        flow[grid + n] = out;
        label[grid + n] = (unsigned char)shown;
        if (report.lit) log_gain[grid + n] = gain;
    }
}

static __device__ __forceinline__ float2 added(float2 a, float2 b, float share) {
    return {a.x + share * b.x, a.y + share * b.y};
}

static __device__ __forceinline__ int4 least(int4 a, int4 b) {
    return {min(a.x, b.x), min(a.y, b.y), min(a.z, b.z), min(a.w, b.w)};
}

// A row's binomial sum around a cell.
static __device__ __forceinline__ float2 row_sum(const float2* cell) {
    return added(added(cell[-1], cell[0], 2.0f), cell[1], 1.0f);
}

// As `soften_gain`, of a cell and those around it.
static __device__ float gain_of(const float* cell, int columns, int label) {
    if (label != LABEL_SKIN && label != LABEL_SHARP) return 0.0f;
    float value = cell[0];
    if (label == LABEL_SKIN) {
        const float* above = cell - columns;
        const float* below = cell + columns;
        const float around = above[-1] + above[1] + below[-1] + below[1];
        const float beside = above[0] + below[0] + cell[-1] + cell[1];
        value = 0.0625f * (around + 2.0f * beside + 4.0f * value);
    }
    return expm1f(clamped(value, -GAIN_MAX, GAIN_MAX));
}

// As `_changed_box`, by one thread.
static __device__ void find_box(WarpReport& report, const SoftenParameters& p) {
    if (report.right < report.left) return;
    const double x = report.corner_x_px, y = report.corner_y_px, cell = report.cell_px;
    // One cell more on every side: pixels between a changing and a still cell change a little.
    const int x0 = (int)floor(x + (report.left - 0.5) * cell) & ~1;
    const int y0 = (int)floor(y + (report.top - 0.5) * cell) & ~1;
    const int x1 = ((int)ceil(x + (report.right + 1.5) * cell) + 1) & ~1;
    const int y1 = ((int)ceil(y + (report.bottom + 1.5) * cell) + 1) & ~1;
    const int low_x = max(x0, 0), low_y = max(y0, 0);
    const int high_x = min(x1, p.picture_width), high_y = min(y1, p.picture_height);
    if (low_x >= high_x || low_y >= high_y) return;
    report.wanted_x0 = low_x, report.wanted_y0 = low_y, report.wanted_x1 = high_x, report.wanted_y1 = high_y;
    const int cut_x0 = max(low_x, p.region_x), cut_x1 = min(high_x, p.region_x + p.region_width);
    const int cut_y0 = max(low_y, p.region_y), cut_y1 = min(high_y, p.region_y + p.region_height);
    if (cut_x0 >= cut_x1 || cut_y0 >= cut_y1) return;
    report.x0 = cut_x0, report.y0 = cut_y0, report.x1 = cut_x1, report.y1 = cut_y1;
}

// flow, label: of interpolate_flow. soft: float2 [batch, GRID_CELLS], written: binomial 3 x 3 over skin. The
// report gets the extent of what changes, and the changed box. log_gain: of interpolate_flow. gain: float32
// [batch, GRID_CELLS], written where there is any: the share that is added to the skin's brightness. rooms,
// distances: of limit_offsets; flow and gain keep within them.
extern "C" __global__ void __launch_bounds__(FLOW_BLOCK) soften_flow(
    const SoftenParameters* __restrict__ parameters, WarpReport* __restrict__ reports,
    const float2* __restrict__ flow, const unsigned char* __restrict__ label, float2* __restrict__ soft,
    const float* __restrict__ log_gain, float* __restrict__ gain, const RoomParameters* __restrict__ rooms,
    const float* __restrict__ distances) {
    __shared__ int4 reduced[FLOW_BLOCK];
    WarpReport& report = reports[blockIdx.z];
    const int rows = report.rows, columns = report.columns, cells = rows * columns;
    const long long grid = (long long)GRID_CELLS * blockIdx.z;
    const RoomParameters& room = rooms[blockIdx.z];
    const float* distance = distances + (long long)ROOM_PLACES * blockIdx.z;
    int4 extent = {GRID_SIDE, GRID_SIDE, GRID_SIDE, GRID_SIDE};  // left, top, -right, -bottom
    for (int n = blockIdx.x * FLOW_BLOCK + threadIdx.x; n < cells; n += gridDim.x * FLOW_BLOCK) {
        const int i = n / columns, j = n % columns;
        const float2* cell = flow + grid + n;
        float2 out = *cell;
        const bool inner = i > 0 && i < rows - 1 && j > 0 && j < columns - 1;
        if (inner && label[grid + n] <= LABEL_SKIN) {
            const float2 around = added(row_sum(cell - columns), row_sum(cell + columns), 1.0f);
            const float2 sum = added(around, row_sum(cell), 2.0f);
            out = {0.0625f * sum.x, 0.0625f * sum.y};
        }
        float change = 0.0f;
        if (report.lit && inner) change = gain_of(log_gain + grid + n, columns, label[grid + n]);
        if (room.side > 0) {
            const float cell_px = report.cell_px;
            const float x = report.corner_x_px + ((float)j + 0.5f) * cell_px;
            const float y = report.corner_y_px + ((float)i + 0.5f) * cell_px;
            const float free = beyond_still(room_at(room, distance, x, y), cell_px);
            out = shortened(out, free);
            change = finite_px(change) * faded_in(free, cell_px);
        }
        soft[grid + n] = out;
        if (report.lit) gain[grid + n] = change;
        const bool lit = report.lit && fabsf(change) >= report.quiet;
        if (lit || fabsf(out.x) >= STILL_PX * 0.7f || fabsf(out.y) >= STILL_PX * 0.7f) {
            extent = {min(extent.x, j), min(extent.y, i), min(extent.z, -j), min(extent.w, -i)};
        }
    }
    // In two steps: the block's 256 to 16, and those to one.
    reduced[threadIdx.x] = extent;
    __syncthreads();
    if (threadIdx.x < EXTENT_GROUPS) {
        for (int n = threadIdx.x; n < FLOW_BLOCK; n += EXTENT_GROUPS) extent = least(extent, reduced[n]);
        reduced[threadIdx.x] = extent;
    }
    __syncthreads();
    if (threadIdx.x != 0) return;
    int4 all = reduced[0];
    for (int n = 1; n < EXTENT_GROUPS; ++n) all = least(all, reduced[n]);
    if (all.x < GRID_SIDE) {
        atomicMin(&report.left, all.x), atomicMin(&report.top, all.y);
        atomicMax(&report.right, -all.z), atomicMax(&report.bottom, -all.w);
    }
    __threadfence();
    const int ticket = atomicAdd(&report.finished, 1);
    if (ticket != (int)gridDim.x - 1) return;
    // The last block sees the extents of all: through atomics, past what this multiprocessor has cached.
    WarpReport mine = report;
    mine.left = atomicMin(&report.left, GRID_SIDE), mine.top = atomicMin(&report.top, GRID_SIDE);
    mine.right = atomicMax(&report.right, -1), mine.bottom = atomicMax(&report.bottom, -1);
    mine.finished = (int)gridDim.x;
    find_box(mine, parameters[blockIdx.z]);
    report = mine;
}
