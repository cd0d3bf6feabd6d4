// Finding a free port.
#include "support/ranks.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

namespace stagedtrain::test {

int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  const bool found = ::bind(socket, plain, size) == 0 && ::getsockname(socket, plain, &size) == 0;
  ::close(socket);
  return found ? ntohs(address.sin_port) : 0;
}

}  // namespace stagedtrain::test
