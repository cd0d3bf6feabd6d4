// Declares the few names of Gloo that c10d's headers mention. LibTorch contains Gloo but not its
// headers. These declarations suffice because this project calls c10d and never Gloo itself.
#pragma once

#include <chrono>

namespace gloo {

class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};

namespace transport {
class Device;
class UnboundBuffer;
}  // namespace transport

}  // namespace gloo
