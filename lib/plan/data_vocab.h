// Which vocabulary does a model have if its schedule does not give one?
#pragma once

#include "schedule/schedule.h"

namespace stagedtrain::plan {

// Returns the schedule with a missing model.vocab filled in from the training tokens. Throws
// Error(usage) at the position of the model if the file does not exist or does not record its
// vocabulary, and Error(input) if it is damaged.
schedule::Schedule with_vocab_of_data(schedule::Schedule schedule);

}  // namespace stagedtrain::plan
