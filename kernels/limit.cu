// Room to move: how far flow, gain and landmarks' offsets may go beside what must not change. A square around the
// face has at each place the distance to what is held. Twins: kernels/cpu/room.py and rtfilter/render/room.py.

constexpr int LIMIT_BLOCK = 256;
constexpr int ROOM_SIDE_MAX = 96;
constexpr int ROOM_PLACES = ROOM_SIDE_MAX * ROOM_SIDE_MAX;
constexpr float SLOPE = 0.65f;
constexpr float STILL_CELLS = 1.6f;
constexpr float STILL_MORE_PX = 1.0f;
constexpr float FADE_CELLS = 3.0f;
constexpr float IRIS_FADE_RADII = 0.4f;
constexpr float SHAPE_LEAST = 0.5f;
constexpr float SHAPE_MEMBER = 0.9f;
constexpr int LIMIT_LANDMARKS_MAX = 512;
constexpr int LIMIT_SHAPES_MAX = 4;

struct RoomParameters {
    int side;         // places along the square, 2 to ROOM_SIDE_MAX; 0: everything may move
    float matrix[6];  // from picture pixels to places of the square, centres at + 0.5 in both
};

static __device__ __forceinline__ float finite_px(float value) {
    return fabsf(value) < 1e6f ? value : 0.0f;
}

// The distance from what is held at a place of the picture, bilinear, the square's edge repeated; 0 for what is no
// number. distance: the square's places, dense.
static __device__ float room_at(const RoomParameters& room, const float* distance, float x, float y) {
    const float last = (float)(room.side - 1);
    const float column = room.matrix[0] * x + room.matrix[1] * y + room.matrix[2] - 0.5f;
    const float row = room.matrix[3] * x + room.matrix[4] * y + room.matrix[5] - 0.5f;
    const float at_x = column > 0.0f ? fminf(column, last) : 0.0f, at_y = row > 0.0f ? fminf(row, last) : 0.0f;
    const int j = min((int)at_x, room.side - 2), i = min((int)at_y, room.side - 2);
    const float tx = at_x - (float)j, ty = at_y - (float)i;
    const float *first = distance + i * room.side + j, *second = first + room.side;
    const float upper = first[0] + (first[1] - first[0]) * tx, lower = second[0] + (second[1] - second[0]) * tx;
    const float far = upper + (lower - upper) * ty;
    return far > 0.0f ? far : 0.0f;
}

// What is left of a distance beyond the place in which nothing moves.
static __device__ __forceinline__ float beyond_still(float far, float cell) {
    return fmaxf(far - (STILL_CELLS * cell + STILL_MORE_PX), 0.0f);
}

static __device__ __forceinline__ float shift_length(float dx, float dy) {
    return sqrtf(fmaxf(dx * dx + dy * dy, 1e-12f));
}

// A shift no longer than the room; 0 for what is no number.
static __device__ __forceinline__ float2 shortened(float2 shift, float free) {
    const float dx = finite_px(shift.x), dy = finite_px(shift.y);
    const float share = fminf(SLOPE * free / shift_length(dx, dy), 1.0f);
    return {share * dx, share * dy};
}

// The share of the gain that is left.
static __device__ __forceinline__ float faded_in(float free, float cell) {
    const float fade = fminf(free / fmaxf(FADE_CELLS * cell, 1e-3f), 1.0f);
    return fade * fade * (3.0f - 2.0f * fade);
}

// How much of an iris may be painted: nothing where its reach touches what is held. x, y: where its middle ends;
// tall: its radius.
static __device__ float iris_room(const RoomParameters& room, const float* distance, float x, float y, float tall) {
    const float beyond = room_at(room, distance, x, y) - (IRIS_REACH * tall + STILL_MORE_PX);
    return clamped(beyond / fmaxf(IRIS_FADE_RADII * tall, 1e-3f), 0.0f, 1.0f);
}

// Offsets that end within the room of their place; a shape that is limited in places shrinks as a whole.
// rooms: [batch]. distances: float32 [batch, ROOM_PLACES]. points_px, offset_px, iod_px: of mesh_extend.
// count: at most LIMIT_LANDMARKS_MAX. shapes: float32 [count, shape_count], 0..1, how much of each landmark belongs
// to each shape, of which there are at most LIMIT_SHAPES_MAX. limited_px: float32 [batch, count, 2], written.
// One block a picture.
extern "C" __global__ void __launch_bounds__(LIMIT_BLOCK) limit_offsets(
    const RoomParameters* __restrict__ rooms, const float* __restrict__ distances,
    const float* __restrict__ points_px, const float* __restrict__ offset_px, const float* __restrict__ iod_px,
    int count, const float* __restrict__ shapes, int shape_count, float* __restrict__ limited_px) {
    __shared__ float share[LIMIT_LANDMARKS_MAX], length[LIMIT_LANDMARKS_MAX], lost[LIMIT_SHAPES_MAX];
    const RoomParameters& room = rooms[blockIdx.z];
    const float* distance = distances + (long long)ROOM_PLACES * blockIdx.z;
    const float cell = fmaxf(1.0f, iod_px[blockIdx.z] / CELLS_PER_IOD);
    const float* points = points_px + 3LL * count * blockIdx.z;
    const float* offset = offset_px + 2LL * count * blockIdx.z;
    float* limited = limited_px + 2LL * count * blockIdx.z;
    if (room.side > 0) {
        for (int n = threadIdx.x; n < count; n += LIMIT_BLOCK) {
            const float dx = finite_px(offset[2 * n]), dy = finite_px(offset[2 * n + 1]);
            const float far = room_at(room, distance, points[3 * n] + dx, points[3 * n + 1] + dy);
            length[n] = shift_length(dx, dy);
            share[n] = fminf(SLOPE * beyond_still(far, cell) / length[n], 1.0f);
        }
    }
    __syncthreads();
    if (room.side > 0 && (int)threadIdx.x < shape_count) {
        const int shape = threadIdx.x;
        float longest = 0.0f, most = 0.0f;
        for (int n = 0; n < count; n++) {
            if (shapes[n * shape_count + shape] > SHAPE_MEMBER) {
                longest = fmaxf(longest, length[n]);
                most = fmaxf(most, length[n] * (1.0f - share[n]));
            }
        }
        lost[shape] = fminf(most / fmaxf(longest, 1e-6f), 1.0f - SHAPE_LEAST);
    }
    __syncthreads();
    for (int n = threadIdx.x; n < count; n += LIMIT_BLOCK) {
        float2 shift = {offset[2 * n], offset[2 * n + 1]};
        if (room.side > 0) {
            float keep = 1.0f;
            for (int shape = 0; shape < shape_count; shape++) keep -= shapes[n * shape_count + shape] * lost[shape];
            const float part = fminf(share[n], keep);
            shift = {part * finite_px(shift.x), part * finite_px(shift.y)};
        }
        limited[2 * n] = shift.x, limited[2 * n + 1] = shift.y;
    }
}
