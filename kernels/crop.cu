// Affine crop of a picture straight into a network's input: bilinear, normalised, float32 planes.
// Twin: kernels/reference/twins.py, crop. From RGB, NV12 or I420 (luma and chroma are sampled apart, then converted).

struct CropParameters {
    long long rgb_offset;      // byte of the region's first RGB pixel in `source`, or of its first luma
    long long cb_offset;       // byte of its first Cb; unused for RGB
    long long cr_offset;       // byte of its first Cr; unused for RGB
    int pitch;                 // bytes from row to row of RGB or luma
    int chroma_pitch;          // bytes from row to row of chroma
    int chroma_step;           // bytes from one Cb to the next: 2 for NV12, 1 for I420, 0 for RGB
    int region_x, region_y;    // the region's corner in the picture, even
    int region_width;          // of the region, pixels
    int region_height;         // likewise
    int picture_width;         // of the whole picture, pixels
    int picture_height;        // likewise
    int border;                // what lies outside the picture: BORDER_REPLICATE or BORDER_ZERO
    float picture_from_crop[6];  // affine [2, 3], centres of pixels at + 0.5 on both sides
    float rgb_from_yuv[12];    // affine [3, 4] in units of 0..255; unused for RGB
    float scale, bias;         // written is value * scale + bias, value in 0..255
};

constexpr int BORDER_REPLICATE = 0;
constexpr int BORDER_ZERO = 1;
constexpr int CROP_BLOCK_X = 32;
constexpr int CROP_BLOCK_Y = 8;

// Where one bilinear sample lies on one axis: two neighbours within the region, the second's weight, and how
// much of either lies within the picture.
struct Neighbours {
    int low, high;
    float part;
    float low_inside, high_inside;
};

static __device__ Neighbours neighbours(float place, int corner, int size, int whole, bool zero) {
    // Far outside is outside: what follows stays within integers, for NaN too.
    const float centre = clamped(place - 0.5f, -2.0f, (float)whole + 1.0f);
    const int first = __float2int_rd(centre);
    Neighbours n;
    n.part = centre - (float)first;
    n.low = clamped(clamped(first, 0, whole - 1) - corner, 0, size - 1);
    n.high = clamped(clamped(first + 1, 0, whole - 1) - corner, 0, size - 1);
    n.low_inside = zero && (first < 0 || first >= whole) ? 0.0f : 1.0f;
    n.high_inside = zero && (first + 1 < 0 || first + 1 >= whole) ? 0.0f : 1.0f;
    return n;
}

static __device__ __forceinline__ float sampled(
    const unsigned char* rows, int pitch, int step, const Neighbours& x, const Neighbours& y) {
    const unsigned char* above = rows + (long long)y.low * pitch;
    const unsigned char* below = rows + (long long)y.high * pitch;
    const float left = (1.0f - x.part) * x.low_inside, right = x.part * x.high_inside;
    const float first = left * above[x.low * step] + right * above[x.high * step];
    const float second = left * below[x.low * step] + right * below[x.high * step];
    return (1.0f - y.part) * y.low_inside * first + y.part * y.high_inside * second;
}

// source: uint8. pixels: float32 [batch, 3, side_y, side_x].
extern "C" __global__ void __launch_bounds__(256) crop(
    const CropParameters* __restrict__ parameters, const unsigned char* __restrict__ source,
    float* __restrict__ pixels, int side_x, int side_y) {
    const int j = blockIdx.x * CROP_BLOCK_X + threadIdx.x, i = blockIdx.y * CROP_BLOCK_Y + threadIdx.y;
    if (j >= side_x || i >= side_y) return;
    const CropParameters& p = parameters[blockIdx.z];
    const float* m = p.picture_from_crop;
    const float u = (float)j + 0.5f, v = (float)i + 0.5f;
    const float x = m[0] * u + m[1] * v + m[2], y = m[3] * u + m[4] * v + m[5];
    const bool zero = p.border == BORDER_ZERO;
    const Neighbours across = neighbours(x, p.region_x, p.region_width, p.picture_width, zero);
    const Neighbours down = neighbours(y, p.region_y, p.region_height, p.picture_height, zero);
    const unsigned char* first = source + p.rgb_offset;
    float rgb[3];
    if (p.chroma_step == 0) {
        for (int c = 0; c < 3; ++c) rgb[c] = sampled(first + c, p.pitch, 3, across, down);
    } else {
        // Chroma lies in the middle of 2 x 2 pixels; odd sides round up.
        const Neighbours coarse_x = neighbours(
            x * 0.5f, p.region_x >> 1, (p.region_width + 1) >> 1, (p.picture_width + 1) >> 1, false);
        const Neighbours coarse_y = neighbours(
            y * 0.5f, p.region_y >> 1, (p.region_height + 1) >> 1, (p.picture_height + 1) >> 1, false);
        const float luma = sampled(first, p.pitch, 1, across, down);
        const float cb = sampled(source + p.cb_offset, p.chroma_pitch, p.chroma_step, coarse_x, coarse_y);
        const float cr = sampled(source + p.cr_offset, p.chroma_pitch, p.chroma_step, coarse_x, coarse_y);
        // Outside is black, not the colour of three zeros.
        const float inside =
            ((1.0f - across.part) * across.low_inside + across.part * across.high_inside) *
            ((1.0f - down.part) * down.low_inside + down.part * down.high_inside);
        for (int c = 0; c < 3; ++c) {
            const float* row = p.rgb_from_yuv + 4 * c;
            const float value = row[0] * luma + inside * (row[1] * cb + row[2] * cr + row[3]);
            rgb[c] = clamped(value, 0.0f, 255.0f);
        }
    }
    const long long plane = (long long)side_x * side_y;
    float* target = pixels + 3 * plane * blockIdx.z + (long long)i * side_x + j;
    for (int c = 0; c < 3; ++c) target[c * plane] = rgb[c] * p.scale + p.bias;
}
