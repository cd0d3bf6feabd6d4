// The lock of a folder: one holder at a time, and a holder that notices when the file is gone.
#include "io/folder_lock.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "support/catch.h"
#include "support/errors.h"
#include "support/refused_calls.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::contains;

TEST_CASE("a locked folder is refused, naming who holds it, until the lock ends") {
  const test::TempDir folder;
  {
    const FolderLock lock(folder.path());
    const std::string message =
        test::refusal(ErrorKind::locked, [&] { FolderLock second(folder.path()); });
    INFO(message);
    CHECK(contains(message, "process " + std::to_string(::getpid())));
    CHECK(contains(message, folder.path().string()));
  }
  CHECK_NOTHROW(FolderLock(folder.path()));
}

TEST_CASE("the lock of a process that died is free") {
  const test::TempDir folder;
  const pid_t child = ::fork();
  if (child == 0) {
    const FolderLock lock(folder.path());
    ::_exit(0);
  }
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK(std::filesystem::exists(folder / "lock"));
  CHECK_NOTHROW(FolderLock(folder.path()));
}

TEST_CASE("a lock file that was removed or replaced is noticed, and the folder is not used on") {
  const test::TempDir folder;
  const FolderLock lock(folder.path());
  CHECK_NOTHROW(lock.check());
  std::filesystem::remove(folder / "lock");
  CHECK(contains(test::refusal(ErrorKind::locked, [&] { lock.check(); }), "removed or replaced"));
  SECTION("another process may have locked a new one") {
    const FolderLock second(folder.path());
    CHECK_NOTHROW(second.check());
    CHECK(contains(test::refusal(ErrorKind::locked, [&] { lock.check(); }), "removed or replaced"));
  }
}

TEST_CASE("a file system without locks is no other run: the reason is said") {
  const int code = GENERATE(ENOLCK, EOPNOTSUPP);
  const test::TempDir folder;
  test::check_child(test::exit_code_of_child([&] {
    test::refuse_call(SYS_flock, code);
    const std::string message =
        test::refusal(ErrorKind::resource, [&] { FolderLock lock(folder.path()); });
    return contains(message, "cannot lock: " + std::string(std::strerror(code))) ? 0 : 1;
  }));
}

TEST_CASE("a lock that the system does not let us look at is not taken for a lost one") {
  const test::TempDir folder;
  test::check_child(test::exit_code_of_child([&] {
    const FolderLock lock(folder.path());
    test::refuse_call(SYS_newfstatat, ENOMEM);
    const std::string message = test::refusal(ErrorKind::resource, [&] { lock.check(); });
    return contains(message, "cannot check the lock") ? 0 : 1;
  }));
}
