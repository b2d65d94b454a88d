// Types and helpers that several kernels share. All .cu files are compiled as one unit, this one first.
//
// In all kernels: blockIdx.z counts the pictures of a batch, whose parameter blocks lie one after another;
// arrays have the batch as their first dimension, pictures lie anywhere in one buffer at a byte offset. Pixel
// (column j, row i) has its centre at (j + 0.5, i + 0.5). Matrices are row by row. A region is the part of a
// picture that was uploaded; its corner has even coordinates.

// The warp's result for one picture; written by mesh_extend and soften_flow, downloaded.
struct WarpReport {
    float corner_x_px, corner_y_px;  // the grid's corner, in picture pixels
    float cell_px;                   // side of a grid cell
    int rows, columns;               // of the grid; 0 where nothing moves
    int taps;                        // of the resampling filter, 4 or 6
    int x0, y0, x1, y1;              // changed box, half-open, in picture pixels; x0 == x1 where there is none
    int wanted_x0, wanted_y0;        // the box that all of the flow would change: beyond the region, what was
    int wanted_x1, wanted_y1;        // uploaded, nothing is painted, and the changed box is cut to it
    int left, top, right, bottom;    // first and last cell that moves; right < left where none does
    int finished;                    // blocks of soften_flow that are done
    int lit;                         // 1 where the skin's brightness changes
    float quiet;                     // a gain that changes no pixel by half a level
    float colour[3];                 // each channel's share of the skin's gain
};

// Of one face, how the brightness of its skin changes; written by add_maps.
struct SkinReport {
    int lit;          // 1 where any pixel can change by half a level
    int side;         // of the face's texture of log gains
    float quiet;      // see WarpReport
    float colour[3];
};

// Cells of the flow's grid along an inter-ocular distance.
constexpr float CELLS_PER_IOD = 48.0f;

// The largest grid of any face, for which memory is made.
constexpr int GRID_MAX = 512;
constexpr int GRID_SIDE = GRID_MAX + 3;
constexpr int GRID_CELLS = GRID_SIDE * GRID_SIDE;

// A shorter shift changes no pixel visibly.
constexpr float STILL_PX = 1.0f / 24.0f;

// The largest log gain that is painted, up or down.
constexpr float GAIN_MAX = 1.0f;

static __device__ __forceinline__ int clamped(int value, int low, int high) {
    return min(max(value, low), high);
}

static __device__ __forceinline__ float clamped(float value, float low, float high) {
    return fminf(fmaxf(value, low), high);
}

// A byte of a word as float, without the slow integer conversion: 0x4B000000 is 2^23, whose last mantissa
// bit counts ones. Gives byte + 2^23; the caller subtracts BYTE_BIAS.
constexpr float BYTE_BIAS = 8388608.0f;

static __device__ __forceinline__ float biased_byte(unsigned word, int byte) {
    return __uint_as_float(__byte_perm(word, 0x4B000000u, 0x7440u + byte));
}

// 0..255 of a float, rounded to nearest, halves upwards.
static __device__ __forceinline__ unsigned char to_byte(float value) {
    return (unsigned char)__float2int_rd(clamped(value, 0.0f, 255.0f) + 0.5f);
}

// A row of an affine matrix [3, 4], applied.
static __device__ __forceinline__ float row_of(const float* matrix, float a, float b, float c) {
    return matrix[0] * a + matrix[1] * b + matrix[2] * c + matrix[3];
}
