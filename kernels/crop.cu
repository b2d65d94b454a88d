// Affine crop of a picture straight into a network's input: bilinear, normalised, float32 planes.
// From RGB, or from 4:2:0 planes (luma and chroma are sampled apart, then converted). Beyond the picture its last
// pixel is repeated. Twin: kernels/reference/crop.py.

struct CropParameters {
    long long rgb_offset;      // byte of the region's first RGB pixel in `source`, or of its first luma
    long long cb_offset;       // byte of its first Cb; unused for RGB
    long long cr_offset;       // byte of its first Cr; unused for RGB
    int pitch;                 // bytes from row to row of RGB or luma
    int chroma_pitch;          // bytes from row to row of chroma
    int planar;                // 1 for planes, 0 for RGB
    int region_x, region_y;    // the region's corner in the picture, even
    int region_width;          // of the region, pixels
    int region_height;         // likewise
    int picture_width;         // of the whole picture, pixels
    int picture_height;        // likewise
    float picture_from_crop[6];  // affine [2, 3], centres of pixels at + 0.5 on both sides
    float rgb_from_yuv[12];    // affine [3, 4] in units of 0..255; unused for RGB
    float scale, bias;         // written is value * scale + bias, value in 0..255
};

constexpr int CROP_BLOCK_X = 32;
constexpr int CROP_BLOCK_Y = 8;

// Where one bilinear sample lies on one axis: two neighbours within the region, and the second's weight.
struct Neighbours {
    int low, high;
    float part;
};

static __device__ Neighbours neighbours(float place, int corner, int size, int whole) {
    // Far outside is outside: what follows stays within integers, for NaN too.
    const float centre = clamped(place - 0.5f, -2.0f, (float)whole + 1.0f);
    const int first = __float2int_rd(centre);
    return {
        clamped(clamped(first, 0, whole - 1) - corner, 0, size - 1),
        clamped(clamped(first + 1, 0, whole - 1) - corner, 0, size - 1), centre - (float)first};
}

static __device__ __forceinline__ float sampled(
    const unsigned char* rows, int pitch, int step, const Neighbours& x, const Neighbours& y) {
    const unsigned char* above = rows + (long long)y.low * pitch;
    const unsigned char* below = rows + (long long)y.high * pitch;
    const float left = 1.0f - x.part, right = x.part;
    const float first = left * above[x.low * step] + right * above[x.high * step];
    const float second = left * below[x.low * step] + right * below[x.high * step];
    return (1.0f - y.part) * first + y.part * second;
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
    const Neighbours across = neighbours(x, p.region_x, p.region_width, p.picture_width);
    const Neighbours down = neighbours(y, p.region_y, p.region_height, p.picture_height);
    const unsigned char* first = source + p.rgb_offset;
    float rgb[3];
    if (!p.planar) {
        for (int c = 0; c < 3; ++c) rgb[c] = sampled(first + c, p.pitch, 3, across, down);
    } else {
        // Chroma lies in the middle of 2 x 2 pixels; odd sides round up.
        const Neighbours coarse_x =
            neighbours(x * 0.5f, p.region_x >> 1, (p.region_width + 1) >> 1, (p.picture_width + 1) >> 1);
        const Neighbours coarse_y =
            neighbours(y * 0.5f, p.region_y >> 1, (p.region_height + 1) >> 1, (p.picture_height + 1) >> 1);
        const float luma = sampled(first, p.pitch, 1, across, down);
        const float cb = sampled(source + p.cb_offset, p.chroma_pitch, 1, coarse_x, coarse_y);
        const float cr = sampled(source + p.cr_offset, p.chroma_pitch, 1, coarse_x, coarse_y);
        for (int c = 0; c < 3; ++c) {
            const float* row = p.rgb_from_yuv + 4 * c;
            rgb[c] = clamped(row[0] * luma + (row[1] * cb + row[2] * cr + row[3]), 0.0f, 255.0f);
        }
    }
    const long long plane = (long long)side_x * side_y;
    float* target = pixels + 3 * plane * blockIdx.z + (long long)i * side_x + j;
    for (int c = 0; c < 3; ++c) target[c * plane] = rgb[c] * p.scale + p.bias;
}
