// The few names of Gloo that c10d's header mentions. LibTorch has Gloo inside, but not its headers;
// these declarations stand in for them, since we call c10d and never Gloo itself.
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
