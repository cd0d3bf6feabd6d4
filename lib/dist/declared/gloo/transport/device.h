// Stands in for Gloo's header, which c10d includes. c10d needs nothing of it beyond context.h.
#pragma once

#include <gloo/context.h>
