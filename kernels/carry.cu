// The streams' states, out of a table of rows and back: so streams of a batch come in any order, a step can be
// repeated from the same state, and row -1 is a reset. Twin: reference/carry.py.

struct CarryParameters {
    int from;  // row that the state is read from; negative: all zero, a new stream
    int to;    // row that the new state is written to
};

constexpr int CARRY_BLOCK = 256;

// table: float32 [rows, size]. state: float32 [batch, size], written.
extern "C" __global__ void __launch_bounds__(CARRY_BLOCK) carry_out(
    const CarryParameters* __restrict__ parameters, const float* __restrict__ table, float* __restrict__ state,
    int size) {
    const int n = blockIdx.x * CARRY_BLOCK + threadIdx.x, from = parameters[blockIdx.z].from;
    if (n >= size) return;
    state[(long long)size * blockIdx.z + n] = from < 0 ? 0.0f : table[(long long)size * from + n];
}

// state: float32 [batch, size]. table: written.
extern "C" __global__ void __launch_bounds__(CARRY_BLOCK) carry_back(
    const CarryParameters* __restrict__ parameters, const float* __restrict__ state, float* __restrict__ table,
    int size) {
    const int n = blockIdx.x * CARRY_BLOCK + threadIdx.x;
    if (n >= size) return;
    table[(long long)size * parameters[blockIdx.z].to + n] = state[(long long)size * blockIdx.z + n];
}
