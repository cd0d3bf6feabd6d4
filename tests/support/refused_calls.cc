// Refusing system calls by a seccomp filter: two to six instructions of BPF.
#include "support/refused_calls.h"

#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <vector>

namespace stagedtrain::test {
namespace {

constexpr sock_filter load(std::uint32_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset);
}
constexpr sock_filter answer(std::uint32_t what) { return BPF_STMT(BPF_RET | BPF_K, what); }
std::uint32_t failing(int code) { return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(code); }
// Goes on with the next instruction if the loaded number is this one, else skips so many.
sock_filter if_equal(long number, std::uint8_t skip) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, skip);
}

void install(std::vector<sock_filter> filter) {
  filter.push_back(answer(SECCOMP_RET_ALLOW));
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    ::_exit(kCannotRefuse);
}

}  // namespace

void refuse_call(long number, int code) {
  install({load(offsetof(seccomp_data, nr)), if_equal(number, 1), answer(failing(code))});
}

// clone3 hides its flags behind a pointer; without it the C library falls back to clone.
void refuse_threads() {
  install({load(offsetof(seccomp_data, nr)), if_equal(SYS_clone3, 1), answer(failing(ENOSYS)),
           if_equal(SYS_clone, 3), load(offsetof(seccomp_data, args[0])),
           BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1), answer(failing(EAGAIN))});
}

}  // namespace stagedtrain::test
