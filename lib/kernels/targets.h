// Selects the processors that get code of their own: on x86 AVX-512, AVX2 and the baseline. Include
// this before Highway's headers.
#pragma once

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4)
