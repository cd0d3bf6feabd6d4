// Which processors get code of their own: AVX-512, AVX2 and the baseline on x86. Include it first.
#pragma once

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4)
