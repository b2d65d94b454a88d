// Warped resampling: backward flow and gain on a grid, the face's region in, the changed box out; pixels that
// neither move nor change by half a level keep their bytes. Twins: kernels/cpu/resample.py and paint_row.py. The
// filter's taps are the report's choice.

struct ResampleParameters {
    long long source_offset;   // byte of the region's first pixel in `source`, RGB; a multiple of 4
    int source_pitch;          // bytes from row to row of the region; a multiple of 4
    int region_x, region_y;    // the region's corner in the picture; samples beyond the region take its edge
    int region_width;          // of the region, pixels
    int region_height;         // likewise
    long long changed_offset;  // byte in `changed` of the box's first pixel, RGB; a multiple of 4
    int changed_pitch;         // bytes from row to row of the box; a multiple of 4
};

constexpr int RESAMPLE_TILE_X = 64;  // threads of a block, a pixel each; a row is 48 words
constexpr int RESAMPLE_TILE_Y = 4;
constexpr int RESAMPLE_BLOCK = RESAMPLE_TILE_X * RESAMPLE_TILE_Y;
constexpr int TILE_WORDS = RESAMPLE_TILE_X * 3 / 4;
constexpr int PHASE_BITS = 8;
constexpr int PHASES = 1 << PHASE_BITS;
constexpr int WEIGHTS_ROW = 12;  // floats a phase: four taps, then six and two unused
constexpr int WEIGHTS_OF_SIX = 4;

struct Rgb {
    float r, g, b;
};

// Where one pixel's filter begins in the region, and its weights.
struct Window {
    int x, y;
    const float* across;
    const float* down;
};

static __device__ __forceinline__ void load_weights(const float* from, float (&weights)[4]) {
    const float4 a = *(const float4*)from;
    weights[0] = a.x, weights[1] = a.y, weights[2] = a.z, weights[3] = a.w;
}

static __device__ __forceinline__ void load_weights(const float* from, float (&weights)[6]) {
    const float4 a = *(const float4*)from, b = *(const float4*)(from + 4);
    weights[0] = a.x, weights[1] = a.y, weights[2] = a.z, weights[3] = a.w, weights[4] = b.x, weights[5] = b.y;
}

// The filter over TAPS x TAPS pixels. Inside the region a row is read as whole words, which are shifted to
// begin with its first byte; at the region's edge byte by byte, the edge repeated.
template <int TAPS>
static __device__ Rgb filtered(const unsigned char* region, const ResampleParameters& p, const Window& at) {
    constexpr int WORDS = (3 * TAPS + 3) / 4;
    float across[TAPS], down[TAPS];
    load_weights(at.across, across);
    load_weights(at.down, down);
    Rgb sum = {0.0f, 0.0f, 0.0f};
    const int first_word = at.x * 3 >> 2, shift = (at.x * 3 & 3) * 8;
    const bool within = at.x >= 0 && at.y >= 0 && at.y + TAPS <= p.region_height &&
                        at.x + TAPS <= p.region_width && 4 * (first_word + WORDS + 1) <= p.source_pitch;
#pragma unroll
    for (int row = 0; row < TAPS; ++row) {
        const unsigned char* line = region + (long long)clamped(at.y + row, 0, p.region_height - 1) * p.source_pitch;
        Rgb part = {0.0f, 0.0f, 0.0f};
        if (within) {
            const unsigned* words = (const unsigned*)line + first_word;
            unsigned bytes[WORDS];
            unsigned low = words[0];
#pragma unroll
            for (int n = 0; n < WORDS; ++n) {
                const unsigned high = words[n + 1];
                bytes[n] = __funnelshift_r(low, high, shift);
                low = high;
            }
#pragma unroll
            for (int tap = 0; tap < TAPS; ++tap) {
                const int r = 3 * tap, g = r + 1, b = r + 2;
                part.r += across[tap] * (biased_byte(bytes[r / 4], r % 4) - BYTE_BIAS);
                part.g += across[tap] * (biased_byte(bytes[g / 4], g % 4) - BYTE_BIAS);
                part.b += across[tap] * (biased_byte(bytes[b / 4], b % 4) - BYTE_BIAS);
            }
        } else {
#pragma unroll
            for (int tap = 0; tap < TAPS; ++tap) {
                const unsigned char* pixel = line + 3 * clamped(at.x + tap, 0, p.region_width - 1);
                part.r += across[tap] * pixel[0];
                part.g += across[tap] * pixel[1];
                part.b += across[tap] * pixel[2];
            }
        }
        sum.r += down[row] * part.r, sum.g += down[row] * part.g, sum.b += down[row] * part.b;
    }
    return sum;
}

// Where a pixel's centre lies between the centres of cells.
struct Place {
    int cell, columns;  // the cell above it to the left, of a grid with so many columns
    float tx, ty;
};

static __device__ __forceinline__ Place place_of(const WarpReport& report, int x, int y) {
    const float inverse = 1.0f / report.cell_px;
    const float gx = ((float)x + 0.5f - report.corner_x_px) * inverse - 0.5f;
    const float gy = ((float)y + 0.5f - report.corner_y_px) * inverse - 0.5f;
    const int j = clamped(__float2int_rd(gx), 0, report.columns - 2);
    const int i = clamped(__float2int_rd(gy), 0, report.rows - 2);
    const float tx = clamped(gx - (float)j, 0.0f, 1.0f), ty = clamped(gy - (float)i, 0.0f, 1.0f);
    return {i * report.columns + j, report.columns, tx, ty};
}

// The flow there, bilinear.
static __device__ __forceinline__ float2 flow_at(const float2* flow, const Place& at) {
    const float2* above = flow + at.cell;
    const float2* below = above + at.columns;
    const float tx = at.tx, ty = at.ty;
    const float left_x = above[0].x + (below[0].x - above[0].x) * ty;
    const float left_y = above[0].y + (below[0].y - above[0].y) * ty;
    const float right_x = above[1].x + (below[1].x - above[1].x) * ty;
    const float right_y = above[1].y + (below[1].y - above[1].y) * ty;
    return {left_x + (right_x - left_x) * tx, left_y + (right_y - left_y) * tx};
}

static __device__ __forceinline__ float gain_at(const float* gain, const Place& at) {
    const float* above = gain + at.cell;
    const float* below = above + at.columns;
    const float left = above[0] + (below[0] - above[0]) * at.ty, right = above[1] + (below[1] - above[1]) * at.ty;
    return left + (right - left) * at.tx;
}

// A colour with the skin's gain, as bytes.
static __device__ __forceinline__ void write_lit(unsigned char* out, const WarpReport& report, float gain, Rgb rgb) {
    out[0] = to_byte(rgb.r * (1.0f + report.colour[0] * gain));
    out[1] = to_byte(rgb.g * (1.0f + report.colour[1] * gain));
    out[2] = to_byte(rgb.b * (1.0f + report.colour[2] * gain));
}

// What the picture's pixel (x, y), which lies in the region, becomes.
static __device__ void resampled(
    const unsigned char* region, const ResampleParameters& p, const WarpReport& report, const float2* flow,
    const float* gains, const float* weights, int x, int y, unsigned char* out) {
    const Place place = place_of(report, x, y);
    const float2 move = flow_at(flow, place);
    const float gain = report.lit ? gain_at(gains, place) : 0.0f;
    const int here_x = x - p.region_x, here_y = y - p.region_y;
    if (!(move.x * move.x + move.y * move.y >= STILL_PX * STILL_PX)) {  // still, or not a number
        const unsigned char* pixel = region + (long long)here_y * p.source_pitch + 3 * here_x;
        if (report.lit && fabsf(gain) >= report.quiet) {
            write_lit(out, report, gain, {(float)pixel[0], (float)pixel[1], (float)pixel[2]});
        } else {
            out[0] = pixel[0], out[1] = pixel[1], out[2] = pixel[2];
        }
        return;
    }
    // In phases, whole pixels and the rest apart from the place: where the region begins must not show in the
    // rounding. Beyond 2^15 pixels there is nothing but an edge.
    const int qx = __float2int_rd(clamped(move.x, -32768.0f, 32768.0f) * PHASES + 0.5f);
    const int qy = __float2int_rd(clamped(move.y, -32768.0f, 32768.0f) * PHASES + 0.5f);
    const bool four = report.taps == 4;
    const int before = four ? 1 : 2;
    const float* table = weights + (four ? 0 : WEIGHTS_OF_SIX);
    const Window at = {
        here_x + (qx >> PHASE_BITS) - before, here_y + (qy >> PHASE_BITS) - before,
        table + (qx & (PHASES - 1)) * WEIGHTS_ROW, table + (qy & (PHASES - 1)) * WEIGHTS_ROW};
    const Rgb sum = four ? filtered<4>(region, p, at) : filtered<6>(region, p, at);
    write_lit(out, report, gain, sum);
}

// source: uint8. flow, gains: of soften_flow. weights: float32 [PHASES, WEIGHTS_ROW]. irises: of measure_irises, of
// `iris_count` openings. changed: uint8, written: the report's box, row by row; bytes between a row's end and its
// next word become 0.
extern "C" __global__ void __launch_bounds__(RESAMPLE_BLOCK) resample_box(
    const ResampleParameters* __restrict__ parameters, const WarpReport* __restrict__ reports,
    const unsigned char* __restrict__ source, const float2* __restrict__ flow, const float* __restrict__ gains,
    const float* __restrict__ weights, const float* __restrict__ irises, int iris_count,
    unsigned char* __restrict__ changed) {
    __shared__ unsigned tile[RESAMPLE_TILE_Y][TILE_WORDS];
    const ResampleParameters& p = parameters[blockIdx.z];
    const WarpReport& report = reports[blockIdx.z];
    const int width = report.x1 - report.x0, height = report.y1 - report.y0;
    if (width <= 0 || height <= 0) return;
    const float2* grid = flow + (long long)GRID_CELLS * blockIdx.z;
    const float* records = irises + (long long)MESH_OPENINGS_MAX * IRIS_NUMBERS * blockIdx.z;
    const float* lights = gains + (long long)GRID_CELLS * blockIdx.z;
    const int across = (width + RESAMPLE_TILE_X - 1) / RESAMPLE_TILE_X;
    const int tiles = across * ((height + RESAMPLE_TILE_Y - 1) / RESAMPLE_TILE_Y);
    // For writing, a thread is a word of the tile.
    const int thread = threadIdx.y * RESAMPLE_TILE_X + threadIdx.x;
    const int word = thread % TILE_WORDS, row = thread / TILE_WORDS;
    for (int n = blockIdx.x; n < tiles; n += gridDim.x) {
        const int tile_x = n % across * RESAMPLE_TILE_X, tile_y = n / across * RESAMPLE_TILE_Y;
        const int x = tile_x + threadIdx.x, y = tile_y + threadIdx.y;
        unsigned char* mine = (unsigned char*)tile[threadIdx.y] + 3 * threadIdx.x;
        mine[0] = mine[1] = mine[2] = 0;
        if (x < width && y < height) {
            const int there_x = report.x0 + x, there_y = report.y0 + y;
            resampled(source + p.source_offset, p, report, grid, lights, weights, there_x, there_y, mine);
            paint_irises(records, iris_count, there_x, there_y, mine);
        }
        __syncthreads();
        if (row < RESAMPLE_TILE_Y && tile_y + row < height && 3 * tile_x + 4 * word < 3 * width) {
            unsigned char* line = changed + p.changed_offset + (long long)(tile_y + row) * p.changed_pitch;
            ((unsigned*)(line + 3 * tile_x))[word] = tile[row][word];
        }
        __syncthreads();
    }
}
