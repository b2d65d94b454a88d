// The mesh network's landmarks, from pixels of its crop to pixels of the picture. Twin: kernels/reference/points.py.

struct PointsParameters {
    float picture_from_crop[6];  // affine [2, 3], as the crop kernel's
    float z_scale;               // picture pixels a crop pixel, for depth
    float presence_threshold;    // the face is present from this score on
};

constexpr int POINTS_BLOCK = 256;

// landmarks: float32 [batch, count, 3]. presence: float32 [batch].
// points_px: float32 [batch, count, 3], all 0 where one number is not finite. present: float32 [batch], 0 or 1.
extern "C" __global__ void __launch_bounds__(POINTS_BLOCK) points(
    const PointsParameters* __restrict__ parameters, const float* __restrict__ landmarks,
    const float* __restrict__ presence, float* __restrict__ points_px, float* __restrict__ present, int count) {
    __shared__ int broken;
    const PointsParameters& p = parameters[blockIdx.z];
    const float* m = p.picture_from_crop;
    const float* from = landmarks + 3LL * count * blockIdx.z;
    float* to = points_px + 3LL * count * blockIdx.z;
    if (threadIdx.x == 0) broken = 0;
    __syncthreads();
    for (int n = threadIdx.x; n < count; n += POINTS_BLOCK) {
        const float u = from[3 * n], v = from[3 * n + 1];
        const float x = m[0] * u + m[1] * v + m[2], y = m[3] * u + m[4] * v + m[5];
        const float z = from[3 * n + 2] * p.z_scale;
        if (!(fabsf(x) < 1e9f && fabsf(y) < 1e9f && fabsf(z) < 1e9f)) broken = 1;
        to[3 * n] = x;
        to[3 * n + 1] = y;
        to[3 * n + 2] = z;
    }
    __syncthreads();
    if (broken) {
        for (int n = threadIdx.x; n < 3 * count; n += POINTS_BLOCK) to[n] = 0.0f;
    }
    if (threadIdx.x == 0) {
        present[blockIdx.z] = !broken && presence[blockIdx.z] >= p.presence_threshold ? 1.0f : 0.0f;
    }
}
