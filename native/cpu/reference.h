// The specification: every op in plain double precision, in the order of core/ops.h. Nothing here is fast,
// nothing here may include a vector header or call an op.
#pragma once

#include "cpu/reference_attention.h"
#include "cpu/reference_gemm.h"
#include "cpu/reference_head.h"
#include "cpu/reference_lowrank.h"
#include "cpu/reference_optimizer.h"
#include "cpu/reference_rows.h"
#include "cpu/reference_sampling.h"
