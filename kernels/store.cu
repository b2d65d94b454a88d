// Puts the changed box, whose size only the device knows, where it belongs: into mapped memory of the host or
// into a whole picture. Twin: kernels/twins.py, store.

struct StoreParameters {
    long long changed_offset;   // byte in `changed` of the box's first pixel, RGB; a multiple of 4
    int changed_pitch;          // bytes from row to row of the box; a multiple of 4
    int target_pitch;           // bytes from row to row of the target
    long long target_offset;    // byte in `target` of its first pixel, RGB; anything
    int target_x, target_y;     // the picture's pixel that is the target's first
    int target_width;           // of the target, pixels; what lies outside is not written
    int target_height;          // likewise
};

constexpr int STORE_BLOCK = 256;
constexpr int STORE_LANES = 32;  // threads that share one row

// Copies `count` bytes; `from` begins with a whole word, `to` anywhere: in whole words of the target, each put
// together from two of the source.
static __device__ void copy_row(unsigned char* to, const unsigned char* from, int count, int lane) {
    const int head = min((int)(-(long long)to & 3), count), words = (count - head) / 4;
    if (lane < head) to[lane] = from[lane];
    const unsigned* source = (const unsigned*)from;
    for (int n = lane; n < words; n += STORE_LANES) {
        // Without a head the next word is not needed, and may not be there.
        const unsigned next = head == 0 ? 0 : source[n + 1];
        ((unsigned*)(to + head))[n] = __funnelshift_r(source[n], next, 8 * head);
    }
    const int done = head + 4 * words;
    if (lane < count - done) to[done + lane] = from[done + lane];
}

// changed: of resample_box. target: uint8, written inside the report's box only.
extern "C" __global__ void __launch_bounds__(STORE_BLOCK) store_box(
    const StoreParameters* __restrict__ parameters, const WarpReport* __restrict__ reports,
    const unsigned char* __restrict__ changed, unsigned char* __restrict__ target) {
    const StoreParameters& p = parameters[blockIdx.z];
    const WarpReport& report = reports[blockIdx.z];
    const int x0 = report.x0, y0 = max(report.y0, p.target_y);
    const int x1 = min(report.x1, p.target_x + p.target_width), y1 = min(report.y1, p.target_y + p.target_height);
    if (x0 < p.target_x || x0 >= x1) return;  // the box's rows begin with a whole word, a part of them may not
    const int lane = threadIdx.x % STORE_LANES, rows = STORE_BLOCK / STORE_LANES;
    for (int y = y0 + blockIdx.x * rows + threadIdx.x / STORE_LANES; y < y1; y += gridDim.x * rows) {
        const unsigned char* from = changed + p.changed_offset + (long long)(y - report.y0) * p.changed_pitch;
        unsigned char* to = target + p.target_offset + (long long)(y - p.target_y) * p.target_pitch;
        copy_row(to + 3LL * (x0 - p.target_x), from, 3 * (x1 - x0), lane);
    }
}
