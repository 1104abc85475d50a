// Words for what Hopper (sm_90a) has beyond gpu.h: boxes of a matrix that arrive in shared memory by
// themselves (TMA), barriers that count their bytes (mbarrier), and products of 128 threads straight out of
// shared memory (wgmma). Under a C++ compiler the same words over fibers. Knows no op.
//
//   start_barrier(barrier, arrivals)   a phase ends after so many arrivals and when all announced bytes have
//   come;
//                                      by one thread, then show_barriers() and a barrier of the block
//   arrive(barrier), arrive_expecting(barrier, bytes)
//   wait_for(barrier, parity)          until the phase of that parity has ended; phases count 0, 1, 0, ...
//   fetch_box(shared, map, column, row, barrier)
//                                      a box of the map's matrix from there on, zeros outside of it; by one
//                                      thread. Arrives as a slab of gemm_operands.h, at a multiple of 1024
//                                      bytes
//   slab_descriptor(slabs, group)      names slabs to wgmma; group: bytes from one slab to the next where the
//   matrix
//                                      is turned. Moved on by bytes / 16
//   begin_products(); Wgmma<n>::run<turned a, turned b>(c, a, b, add); ...; commit_products();
//   wait_for_products<later>()         c[64, n] = (add 0) or += a[64, 16] b[n, 16]^T by 128 threads; warp w
//   has rows
//                                      16 w + those of mma_bf16's c, c[x] its columns 8 x on. Turned: the
//                                      slab's rows are depths. c, a and b must rest until all but the last
//                                      `later` groups are done
//   WgmmaHeld<n>::run<turned b>(c, a, b, add)   the same with a in registers, as mma_bf16 takes it
//   wait_for_group()                   a barrier of the 128 threads that multiply together
//   show_writes()                      what the thread wrote to shared memory, also by copy_async, is there
//   for wgmma
//                                      behind the next barrier of the block
//   rest_until_here(registers)         behind a wait: registers that products read or write, which the
//   compiler must
//                                      not use for others before
//   take_registers<n>(), give_registers<n>()   of 128 threads, for kernels of __launch_bounds__(n, 1)
#pragma once

#include "cuda/gpu.h"

#ifdef __CUDACC__
#include "cuda/hopper_nvcc.h"
#else
#include "cuda/simt/hopper_simt.h"
#endif
