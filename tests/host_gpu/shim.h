// What CUDA gives a kernel, for a C++ compiler: the same .cu files run on the processor.
//
// A launch runs its blocks one after another. The threads of a block run one after another too, on one
// stack, until one comes to __syncthreads(): then it is left there, the next thread goes on another stack,
// and when all have arrived they are resumed in turn. So a kernel without barriers costs plain loops, and a
// kernel with them means what it means on a GPU. Threads and blocks can be run in the opposite order; a
// kernel whose result depends on it lacks a barrier or an atomic.
//
// What is refused, as a GPU would hang or do anything: threads of a block that wait at different barriers,
// or that have ended while others wait. Warp intrinsics, dynamic shared memory and clusters are not here,
// because our kernels do without them.
#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <tuple>
#include <ucontext.h>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __restrict__ __restrict
// One block runs at a time in a thread of the host.
#define __shared__ static thread_local

struct uint3 { unsigned x, y, z; };
struct float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) int4 { int x, y, z, w; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

namespace shim {

constexpr std::size_t STACK_BYTES = 1 << 18;  // pages that are not touched cost nothing

enum Outcome : int { DONE, DIVERGED };

inline thread_local uint3 thread_index, block_index, block_size, grid_size;

// A stack on which threads run; it outlives the launch.
struct Fiber {
    ucontext_t first;
    jmp_buf here;
    std::unique_ptr<char[]> stack;
    unsigned thread = 0;  // the one that waits on it
    int barrier = 0;      // the line where it waits
};

struct Crew {
    std::vector<std::unique_ptr<Fiber>> all;
    std::vector<Fiber*> idle, waiting;
    Fiber* running = nullptr;
    jmp_buf scheduler;
    ucontext_t entry;
    void (*run)(void*) = nullptr;  // one thread of the kernel, to its end
    void* kernel = nullptr;
    unsigned threads = 0, begun = 0;
    bool backwards = false;
};

inline thread_local Crew crew;

inline void set_thread(unsigned n) {
    const unsigned row = n / block_size.x;
    thread_index = {n % block_size.x, row % block_size.y, row / block_size.y};
}

// _setjmp and _longjmp keep no signal mask, so that a switch is no system call, unlike swapcontext's.
__attribute__((noinline)) inline void switch_from(jmp_buf& from, jmp_buf& to) {
    if (_setjmp(from) == 0) _longjmp(to, 1);
}

inline void fiber_main() {
    for (;;) {
        while (crew.begun < crew.threads) {
            const unsigned n = crew.begun++;
            set_thread(crew.backwards ? crew.threads - 1 - n : n);
            crew.run(crew.kernel);
        }
        Fiber* self = crew.running;
        crew.idle.push_back(self);
        switch_from(self->here, crew.scheduler);
    }
}

__attribute__((noinline)) inline void resume(Fiber* fiber) {
    crew.running = fiber;
    switch_from(crew.scheduler, fiber->here);
}

// Threads begin or go on, on a stack that is free.
__attribute__((noinline)) inline void begin() {
    if (!crew.idle.empty()) {
        Fiber* fiber = crew.idle.back();
        crew.idle.pop_back();
        resume(fiber);
        return;
    }
    crew.all.push_back(std::make_unique<Fiber>());
    Fiber* fiber = crew.all.back().get();
    fiber->stack.reset(new char[STACK_BYTES]);
    getcontext(&fiber->first);
    fiber->first.uc_stack.ss_sp = fiber->stack.get();
    fiber->first.uc_stack.ss_size = STACK_BYTES;
    fiber->first.uc_link = nullptr;
    makecontext(&fiber->first, fiber_main, 0);
    crew.running = fiber;
    if (_setjmp(crew.scheduler) == 0) setcontext(&fiber->first);
}

inline void barrier(int line) {
    Fiber* self = crew.running;
    const uint3 place = thread_index;
    self->barrier = line;
    crew.waiting.push_back(self);
    switch_from(self->here, crew.scheduler);
    thread_index = place;
}

inline Outcome run_block() {
    crew.begun = 0;
    crew.waiting.clear();
    while (crew.begun < crew.threads) begin();
    std::size_t together = crew.threads;
    while (!crew.waiting.empty()) {
        std::vector<Fiber*> arrived;
        arrived.swap(crew.waiting);
        bool apart = arrived.size() != together;
        for (Fiber* fiber : arrived) apart |= fiber->barrier != arrived[0]->barrier;
        if (apart) {
            // What is left on those stacks is plain numbers: nothing to be destroyed.
            crew.all.clear();
            crew.idle.clear();
            return DIVERGED;
        }
        for (Fiber* fiber : arrived) resume(fiber);
    }
    return DONE;
}

template <class Call> int run_blocks(Call& call, const unsigned* extents, int backwards) {
    const uint3 grid{extents[0], extents[1], extents[2]};
    block_size = {extents[3], extents[4], extents[5]};
    grid_size = grid;
    crew.run = [](void* kernel) { (*static_cast<Call*>(kernel))(); };
    crew.kernel = &call;
    crew.threads = block_size.x * block_size.y * block_size.z;
    crew.backwards = backwards != 0;
    const std::uint64_t blocks = std::uint64_t(grid.x) * grid.y * grid.z;
    for (std::uint64_t n = 0; n < blocks; ++n) {
        const std::uint64_t b = backwards ? blocks - 1 - n : n;
        block_index = {unsigned(b % grid.x), unsigned(b / grid.x % grid.y), unsigned(b / grid.x / grid.y)};
        if (const Outcome outcome = run_block(); outcome != DONE) return outcome;
    }
    return DONE;
}

template <class... P, std::size_t... N>
int launch(void (*kernel)(P...), void** arguments, const unsigned* extents, int backwards,
           std::index_sequence<N...>) {
    auto call = [=] { kernel(*static_cast<std::remove_reference_t<P>*>(arguments[N])...); };
    return run_blocks(call, extents, backwards);
}

template <class... P> std::size_t sizes_of(void (*)(P...), unsigned* bytes, std::size_t room) {
    const unsigned all[] = {unsigned(sizeof(P))...};
    for (std::size_t n = 0; n < std::min(room, sizeof...(P)); ++n) bytes[n] = all[n];
    return sizeof...(P);
}

template <class... P>
int launch(void (*kernel)(P...), void** arguments, const unsigned* extents, int backwards) {
    return launch(kernel, arguments, extents, backwards, std::index_sequence_for<P...>{});
}

}  // namespace shim

#define threadIdx shim::thread_index
#define blockIdx shim::block_index
#define blockDim shim::block_size
#define gridDim shim::grid_size
#define __syncthreads() shim::barrier(__LINE__)

using std::max;
using std::min;

inline void __threadfence() {}
inline unsigned __float_as_uint(float x) { unsigned u; std::memcpy(&u, &x, 4); return u; }
inline float __uint_as_float(unsigned u) { float x; std::memcpy(&x, &u, 4); return x; }
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
    return unsigned(((std::uint64_t(high) << 32) | low) >> (shift & 31));
}
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned pick) {
    const std::uint64_t bytes = (std::uint64_t(y) << 32) | x;
    unsigned out = 0;
    for (int n = 0; n < 4; ++n) out |= unsigned(bytes >> 8 * (pick >> 4 * n & 7) & 255) << 8 * n;
    return out;
}

// A GPU rounds to the nearest int, keeps what does not fit at the bound, and makes 0 of NaN.
inline int shim_saturated(double x) {
    return x != x ? 0 : x <= -2147483648.0 ? INT32_MIN : x >= 2147483647.0 ? INT32_MAX : int(x);
}
inline int __float2int_rd(float x) { return shim_saturated(std::floor(x)); }
inline int __float2int_ru(float x) { return shim_saturated(std::ceil(x)); }
inline int __float2int_rn(float x) { return shim_saturated(std::nearbyint(x)); }

// One host thread runs a launch, so a plain read and write is one step. They give what was there before.
template <class T> T shim_exchange(T* place, T value) { const T old = *place; *place = value; return old; }
inline int atomicMin(int* p, int v) { return shim_exchange(p, std::min(*p, v)); }
inline int atomicMax(int* p, int v) { return shim_exchange(p, std::max(*p, v)); }
inline int atomicAdd(int* p, int v) { return shim_exchange(p, *p + v); }
inline int atomicOr(int* p, int v) { return shim_exchange(p, *p | v); }
inline unsigned atomicMax(unsigned* p, unsigned v) { return shim_exchange(p, std::max(*p, v)); }
inline unsigned atomicMin(unsigned* p, unsigned v) { return shim_exchange(p, std::min(*p, v)); }
inline unsigned long long atomicMax(unsigned long long* p, unsigned long long v) {
    return shim_exchange(p, std::max(*p, v));
}

// Exports a kernel: arguments as for cuLaunchKernel, extents of grid and block, the order to run in.
#define SHIM_KERNEL(name)                                                                          \
    extern "C" int shim_launch_##name(void** arguments, const unsigned* extents, int backwards) {  \
        return shim::launch(name, arguments, extents, backwards);                                  \
    }                                                                                              \
    extern "C" unsigned long shim_arguments_##name(unsigned* bytes, unsigned long room) {          \
        return shim::sizes_of(name, bytes, room);                                                  \
    }
