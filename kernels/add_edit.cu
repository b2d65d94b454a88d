// The changed box as 4:2:0 planes: those that were uploaded, plus what the warp changed in RGB.
// No difference, no change, bit for bit. Twin: kernels/reference/add_edit.py.

struct AddEditParameters {
    long long before_offset;        // byte in `before` of the region's first pixel, RGB
    long long after_offset;         // byte in `after` of the box's first pixel, RGB
    long long luma_offset;          // byte in `planes` of the luma of the region's first pixel
    long long cb_offset;            // of its Cb
    long long cr_offset;            // of its Cr
    long long changed_luma_offset;  // byte in `changed` of the box's first luma; a multiple of 4
    long long changed_cb_offset;    // of its first Cb; a multiple of 2
    long long changed_cr_offset;    // of its first Cr; a multiple of 2
    int before_pitch;               // bytes from row to row of `before`
    int after_pitch;                // of `after`
    int luma_pitch;                 // of luma, in `planes` and `changed`; a multiple of 4
    int chroma_pitch;               // of chroma, in both; a multiple of 2
    int region_x, region_y;         // the region's corner in the picture, even
    float yuv_from_rgb[12];         // affine [3, 4] in units of 0..255
};

constexpr int EDIT_BLOCK_X = 32;  // threads of 4 x 2 pixels: a warp writes 128 bytes of luma a row
constexpr int EDIT_BLOCK_Y = 8;

// Luma that is farther from its RGB was clipped there: the excess is the old pixel's, and goes with it.
constexpr float CLIPPED_FROM = 3.0f;

struct Change {
    float cb, cr;  // of one pixel
};

// 0..255 of a float, rounded to nearest, halves to even.
static __device__ __forceinline__ unsigned nearest_byte(float value) {
    return (unsigned)__float2int_rn(clamped(value, 0.0f, 255.0f));
}

// The change of one pixel's chroma; its luma, with the change, into `luma`.
static __device__ __forceinline__ Change changed_pixel(
    const float* m, const unsigned char* before, const unsigned char* after, float there, unsigned& luma) {
    const float r = before[0], g = before[1], b = before[2];
    const float dr = after[0] - r, dg = after[1] - g, db = after[2] - b;
    const float change = m[0] * dr + m[1] * dg + m[2] * db;
    const float gap = there - (float)nearest_byte(row_of(m, r, g, b));
    const float excess = gap - clamped(gap, -CLIPPED_FROM, CLIPPED_FROM);
    luma = nearest_byte(change == 0.0f ? there : there + (change - excess));
    return {m[4] * dr + m[5] * dg + m[6] * db, m[8] * dr + m[9] * dg + m[10] * db};
}

// before: uint8, the regions. after: uint8, of resample_box. planes: uint8, what was uploaded. changed: uint8,
// written: the report's box, which begins and ends with a block of 2 x 2 pixels or with the picture; bytes
// between a row's end and its next word (of luma; of chroma, half a word) become 0.
extern "C" __global__ void __launch_bounds__(256) add_edit(
    const AddEditParameters* __restrict__ parameters, const WarpReport* __restrict__ reports,
    const unsigned char* __restrict__ before, const unsigned char* __restrict__ after,
    const unsigned char* __restrict__ planes, unsigned char* __restrict__ changed) {
    const AddEditParameters& p = parameters[blockIdx.z];
    const WarpReport& report = reports[blockIdx.z];
    const int width = report.x1 - report.x0, height = report.y1 - report.y0;
    if (width <= 0 || height <= 0) return;
    const int left = report.x0 - p.region_x, top = report.y0 - p.region_y;
    const int columns = (width + 3) / 4, rows = (height + 1) / 2;
    const int across = (columns + EDIT_BLOCK_X - 1) / EDIT_BLOCK_X;
    const int tiles = across * ((rows + EDIT_BLOCK_Y - 1) / EDIT_BLOCK_Y);
    for (int n = blockIdx.x; n < tiles; n += gridDim.x) {
        const int column = n % across * EDIT_BLOCK_X + threadIdx.x, row = n / across * EDIT_BLOCK_Y + threadIdx.y;
        if (column >= columns || row >= rows) continue;
        const long long at = (long long)((top >> 1) + row) * p.chroma_pitch + (left >> 1) + 2 * column;
        const int tall = min(2, height - 2 * row);
        unsigned luma[2] = {0, 0}, cb = 0, cr = 0;
#pragma unroll
        for (int block = 0; block < 2; ++block) {
            const int first = 4 * column + 2 * block, wide = min(2, width - first);
            if (wide <= 0) break;
            float sum_b = 0.0f, sum_r = 0.0f;
#pragma unroll
            for (int j = 0; j < 2; ++j) {
                Change column_sum = {0.0f, 0.0f};  // a column, then the next: as the twin adds them up
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    const int x = first + j, y = 2 * row + i;
                    if (j >= wide || i >= tall) continue;
                    const long long line = top + y;
                    unsigned byte;
                    const Change change = changed_pixel(
                        p.yuv_from_rgb, before + p.before_offset + line * p.before_pitch + 3 * (left + x),
                        after + p.after_offset + (long long)y * p.after_pitch + 3 * x,
                        planes[p.luma_offset + line * p.luma_pitch + left + x], byte);
                    luma[i] |= byte << 8 * (x & 3);
                    column_sum.cb += change.cb, column_sum.cr += change.cr;
                }
                sum_b += column_sum.cb, sum_r += column_sum.cr;
            }
            const float share = 1.0f / (float)(wide * tall);
            cb |= nearest_byte(planes[p.cb_offset + at + block] + sum_b * share) << 8 * block;
            cr |= nearest_byte(planes[p.cr_offset + at + block] + sum_r * share) << 8 * block;
        }
        unsigned char* lines = changed + p.changed_luma_offset + 2LL * row * p.luma_pitch;
        ((unsigned*)lines)[column] = luma[0];
        if (tall == 2) ((unsigned*)(lines + p.luma_pitch))[column] = luma[1];
        const long long line = (long long)row * p.chroma_pitch;
        ((unsigned short*)(changed + p.changed_cb_offset + line))[column] = (unsigned short)cb;
        ((unsigned short*)(changed + p.changed_cr_offset + line))[column] = (unsigned short)cr;
    }
}
