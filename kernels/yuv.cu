// RGB of 8-bit 4:2:0 planes, with any matrix and range. Twin: `yuv_to_rgb` of rtfilter/colour.py: chroma lies in
// the middle of its block and is interpolated by a bicubic filter; odd sides round up. A thread takes blocks of
// 2 x 2 pixels.

struct YuvParameters {
    long long rgb_offset;    // byte in `rgb` of the first pixel
    long long luma_offset;   // byte in `yuv` of the first luma
    long long cb_offset;     // of the first Cb
    long long cr_offset;     // of the first Cr
    int rgb_pitch;           // bytes from row to row of RGB
    int luma_pitch;          // of luma
    int chroma_pitch;        // of chroma
    int width, height;       // of what is converted, pixels
    int chroma_left;         // columns of chroma that are there before the first, where this is a part of a
    int chroma_top;          // picture: the bicubic filter reads them; likewise rows
    int chroma_right;        // likewise behind the last; where there are none, the last one is repeated
    int chroma_bottom;       // likewise
    float matrix[12];        // rgb_from_yuv, affine [3, 4] in units of 0..255
};

constexpr int YUV_BLOCK_X = 32;
constexpr int YUV_BLOCK_Y = 8;

// Keys' cubic with a = -0.75, as OpenCV's, a quarter of a sample off: the tap at hand first.
constexpr float CUBIC_NEAR = 0.87890625f;   // at 0.25
constexpr float CUBIC_NEXT = 0.26171875f;   // at 0.75
constexpr float CUBIC_THIRD = -0.10546875f; // at 1.25
constexpr float CUBIC_LAST = -0.03515625f;  // at 1.75

// Five samples of one axis to the two places a quarter before and behind the third.
static __device__ __forceinline__ float2 between(float a, float b, float c, float d, float e) {
    return {
        CUBIC_LAST * a + CUBIC_NEXT * b + CUBIC_NEAR * c + CUBIC_THIRD * d,
        CUBIC_THIRD * b + CUBIC_NEAR * c + CUBIC_NEXT * d + CUBIC_LAST * e};
}

// Chroma of a block's four pixels: left, right above, then below; whole numbers of 0..255.
static __device__ float4 upsampled(const unsigned char* plane, const YuvParameters& p, int k, int l) {
    const int last_x = ((p.width - 1) >> 1) + p.chroma_right, last_y = ((p.height - 1) >> 1) + p.chroma_bottom;
    float left[5], right[5];
#pragma unroll
    for (int n = 0; n < 5; ++n) {
        const int row = clamped(l + n - 2, -p.chroma_top, last_y) * p.chroma_pitch;
        float s[5];
#pragma unroll
        for (int t = 0; t < 5; ++t) s[t] = plane[row + clamped(k + t - 2, -p.chroma_left, last_x)];
        const float2 two = between(s[0], s[1], s[2], s[3], s[4]);
        left[n] = two.x, right[n] = two.y;
    }
    const float2 a = between(left[0], left[1], left[2], left[3], left[4]);
    const float2 b = between(right[0], right[1], right[2], right[3], right[4]);
    return make_float4(to_byte(a.x), to_byte(b.x), to_byte(a.y), to_byte(b.y));
}

static __device__ void rgb_of_block(
    const YuvParameters& p, const unsigned char* yuv, unsigned char* rgb, int k, int l) {
    const float4 cb4 = upsampled(yuv + p.cb_offset, p, k, l), cr4 = upsampled(yuv + p.cr_offset, p, k, l);
    const float cb[4] = {cb4.x, cb4.y, cb4.z, cb4.w}, cr[4] = {cr4.x, cr4.y, cr4.z, cr4.w};
#pragma unroll
    for (int n = 0; n < 4; ++n) {
        const int x = 2 * k + n % 2, y = 2 * l + n / 2;
        if (x >= p.width || y >= p.height) continue;
        const float luma = yuv[p.luma_offset + (long long)y * p.luma_pitch + x];
        unsigned char* pixel = rgb + p.rgb_offset + (long long)y * p.rgb_pitch + 3 * x;
        for (int c = 0; c < 3; ++c) pixel[c] = to_byte(row_of(p.matrix + 4 * c, luma, cb[n], cr[n]));
    }
}

extern "C" __global__ void __launch_bounds__(256) rgb_from_yuv(
    const YuvParameters* __restrict__ parameters, const unsigned char* __restrict__ yuv,
    unsigned char* __restrict__ rgb) {
    const YuvParameters& p = parameters[blockIdx.z];
    const int columns = (p.width + 1) >> 1, rows = (p.height + 1) >> 1;
    const int across = (columns + YUV_BLOCK_X - 1) / YUV_BLOCK_X;
    const int tiles = across * ((rows + YUV_BLOCK_Y - 1) / YUV_BLOCK_Y);
    for (int n = blockIdx.x; n < tiles; n += gridDim.x) {
        const int k = n % across * YUV_BLOCK_X + threadIdx.x, l = n / across * YUV_BLOCK_Y + threadIdx.y;
        if (k < columns && l < rows) rgb_of_block(p, yuv, rgb, k, l);
    }
}
