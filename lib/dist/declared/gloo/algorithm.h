// c10d includes this of Gloo and needs nothing of it beyond context.h.
#pragma once

#include <gloo/context.h>
