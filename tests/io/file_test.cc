// Files: whole or not there, whichever operation fails.
#include "io/file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <latch>
#include <thread>

#include "support/catch.h"
#include "support/errors.h"
#include "support/file_fault.h"
#include "support/refused_calls.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::bytes_of;
using test::contains;
using test::Fault;

namespace {

std::size_t files_in(const Path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

}  // namespace

TEST_CASE("an atomic file appears whole, under its name, and nothing else is left") {
  const test::TempDir folder;
  write_file_atomically(folder / "a", "first");
  CHECK(test::read_text(folder / "a") == "first");
  write_file_atomically(folder / "a", "second");
  CHECK(test::read_text(folder / "a") == "second");
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("an atomic file without commit leaves the old one untouched") {
  const test::TempDir folder;
  test::write_text(folder / "a", "old");
  {
    const AtomicFile file(folder / "a");
    test::write_text(file.path(), "new");
    CHECK(file.path().parent_path() == folder.path());
  }
  CHECK(test::read_text(folder / "a") == "old");
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("whichever operation fails, the old file survives and the error says which") {
  const auto [operation, word] =
      GENERATE(table<FileOperation, std::string>({{FileOperation::open, "open"},
                                                  {FileOperation::write, "write"},
                                                  {FileOperation::sync, "sync"},
                                                  {FileOperation::rename, "rename"}}));
  const test::TempDir folder;
  test::write_text(folder / "a", "old");
  std::string message;
  {
    const Fault fault(operation, EIO);
    message =
        test::refusal(ErrorKind::resource, [&] { write_file_atomically(folder / "a", "new"); });
  }
  INFO(message);
  CHECK(contains(message, word));
  CHECK(contains(message, (folder / "a").string()));
  CHECK(contains(message, "Input/output error"));
  CHECK(test::read_text(folder / "a") == "old");
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("a folder that cannot be synced is an error after the file is in place") {
  const test::TempDir folder;
  std::string message;
  {
    const Fault fault(FileOperation::sync_folder, EIO);
    message =
        test::refusal(ErrorKind::resource, [&] { write_file_atomically(folder / "a", "new"); });
  }
  CHECK(contains(message, "sync"));
  CHECK(test::read_text(folder / "a") == "new");
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("a full disk is reported with the bytes needed and the bytes free") {
  const test::TempDir folder;
  OutputFile file(folder / "a", OutputFile::Mode::create_new);
  {
    const Fault fault(FileOperation::allocate, ENOSPC);
    const std::string message = test::refusal(ErrorKind::resource, [&] { file.allocate(5 << 20); });
    INFO(message);
    CHECK(contains(message, "No space left on device"));
    CHECK(contains(message, "5.0 MiB needed"));
    CHECK(contains(message, "free in " + folder.path().string()));
  }
  const Fault fault(FileOperation::write, ENOSPC);
  const auto write_to = [](OutputFile& to) {
    return test::refusal(ErrorKind::resource,
                         [&] { to.write_at(1024, bytes_of("0123456789abcdef")); });
  };
  CHECK(contains(write_to(file), "5.0 MiB needed"));  // what was announced before
  OutputFile unannounced(folder / "b", OutputFile::Mode::create_new);
  CHECK(contains(write_to(unannounced), "1.0 KiB needed"));
}

TEST_CASE("a disk that is really full is reported, not written half") {
  const std::string message = test::refusal(ErrorKind::resource, [] {
    OutputFile file("/dev/full", OutputFile::Mode::existing);
    file.append("x");
  });
  CHECK(contains(message, "/dev/full: cannot write: No space left on device"));
}

TEST_CASE("an output file writes at offsets, appends, truncates and refuses an existing name") {
  const test::TempDir folder;
  const Path path = folder / "a";
  {
    OutputFile file(path, OutputFile::Mode::create_new);
    file.write_at(3, bytes_of("def"));
    file.write_at(0, bytes_of("abc"));
    file.truncate(5);
    file.sync();
    file.close();
  }
  CHECK(test::read_text(path) == "abcde");
  OutputFile(path, OutputFile::Mode::append).append("\nline\n");
  CHECK(test::read_text(path) == "abcde\nline\n");
  CHECK(contains(test::refusal(ErrorKind::resource,
                               [&] { OutputFile file(path, OutputFile::Mode::create_new); }),
                 "File exists"));
  CHECK(contains(test::refusal(ErrorKind::resource,
                               [&] { OutputFile file(folder / "no", OutputFile::Mode::existing); }),
                 "No such file"));
}

TEST_CASE("space is reserved where the file system can") {
  const test::TempDir folder;
  OutputFile file(folder / "a", OutputFile::Mode::create_new);
  CHECK_NOTHROW(file.allocate(100000));
  CHECK_NOTHROW(file.allocate(0));
  const Fault fault(FileOperation::allocate, EOPNOTSUPP);
  CHECK_NOTHROW(file.allocate(200000));
}

TEST_CASE("files are read and mapped whole, and only regular ones") {
  const test::TempDir folder;
  test::write_text(folder / "a", std::string("a\0b", 3));
  test::write_text(folder / "empty", "");
  CHECK(read_text_file(folder / "a") == std::string("a\0b", 3));
  CHECK(read_text_file(folder / "empty").empty());
  CHECK(MappedFile(folder / "a").bytes().size() == 3);
  CHECK(MappedFile(folder / "empty").bytes().empty());
  CHECK(contains(test::refusal(ErrorKind::input, [&] { MappedFile file(folder.path()); }),
                 "not a regular file"));
  CHECK(contains(test::refusal(ErrorKind::input, [&] { MappedFile file(folder / "none"); }),
                 "No such file"));
  CHECK(contains(test::refusal(ErrorKind::input, [] { MappedFile file("/dev/zero"); }),
                 "not a regular file"));
  CHECK(contains(test::refusal(ErrorKind::input, [&] { read_text_file(folder / "a", 2); }),
                 "is 3 B, expected at most 2 B"));
}

TEST_CASE("a pipe is refused as input without waiting for a writer") {
  const test::TempDir folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(contains(test::refusal(ErrorKind::input, [&] { MappedFile file(folder / "pipe"); }),
                 "not a regular file"));
}

TEST_CASE("a mapped file moves with its bytes") {
  const test::TempDir folder;
  test::write_text(folder / "a", "abc");
  test::write_text(folder / "b", "xy");
  MappedFile a(folder / "a");
  const std::byte* data = a.bytes().data();
  MappedFile moved(std::move(a));
  CHECK(moved.bytes().data() == data);
  moved = MappedFile(folder / "b");
  CHECK(moved.bytes().size() == 2);
}

TEST_CASE("of ten writers to one new name that may not replace, one wins and nine are refused") {
  const test::TempDir folder;
  std::atomic<int> refused = 0;
  {
    std::vector<std::jthread> writers;
    std::latch all_written(10);
    for (int i = 0; i < 10; ++i)
      writers.emplace_back([&, i] {
        AtomicFile file(folder / "a", Replace::no);
        test::write_text(file.path(), std::to_string(i));
        all_written.arrive_and_wait();
        try {
          file.commit();
        } catch (const Error& error) {
          refused += error.kind() == ErrorKind::usage && contains(error.what(), "exists already");
        }
      });
  }
  CHECK(refused == 9);
  CHECK(test::read_text(folder / "a").size() == 1);
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("a file that may not replace does not replace a link that leads nowhere either") {
  const test::TempDir folder;
  std::filesystem::create_symlink("nowhere", folder / "link");
  test::write_text(folder / "a", "x");
  CHECK(contains(test::refusal(ErrorKind::usage,
                               [&] { rename_file(folder / "a", folder / "link", Replace::no); }),
                 "--force"));
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK_NOTHROW(rename_file(folder / "a", folder / "b", Replace::no));
  CHECK(test::read_text(folder / "b") == "x");
}

TEST_CASE("an existing file is overwritten only by force") {
  const test::TempDir folder;
  test::write_text(folder / "a", "x");
  std::filesystem::create_symlink("nowhere", folder / "link");
  CHECK(contains(test::refusal(ErrorKind::usage, [&] { refuse_overwrite(folder / "a", false); }),
                 "--force"));
  CHECK(contains(test::refusal(ErrorKind::usage, [&] { refuse_overwrite(folder / "link", true); }),
                 "not a regular file"));
  CHECK_NOTHROW(refuse_overwrite(folder / "a", true));
  CHECK_NOTHROW(refuse_overwrite(folder / "b", false));
}

TEST_CASE("folders are made with their parents, and a file in the way is named") {
  const test::TempDir folder;
  make_folders(folder / "x/y/z");
  CHECK(std::filesystem::is_directory(folder / "x/y/z"));
  CHECK_NOTHROW(make_folders(folder / "x"));
  test::write_text(folder / "file", "x");
  CHECK(contains(test::refusal(ErrorKind::resource, [&] { make_folders(folder / "file/inner"); }),
                 "file/inner"));
}

TEST_CASE(
    "what a killed process left of a file is removed, and never keeps it from being written") {
  const test::TempDir folder;
  // The names of process 1 of a container, and of this process.
  for (int i = 0; i < 100; ++i)
    for (const int process : {1, ::getpid()})
      test::write_text(folder / fmt::format("a.tmp-{}-{}", process, i), "half");
  test::write_text(folder / "a.tmp-0123456789abcdef", "half");
  write_file_atomically(folder / "a", "whole");
  CHECK(test::read_text(folder / "a") == "whole");
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("only temporary files of ours that nobody writes are leftovers") {
  const test::TempDir folder;
  const std::vector<std::string> others = {"a.tmp-notes",
                                           "a.tmp-1",
                                           "a.tmp-1-0.bak",
                                           "a.tmp-x-1",
                                           "a.tmp--1",
                                           "a.tmp-1-",
                                           "a.tmp",
                                           ".tmp-1-0",
                                           "a.h5",
                                           "a.tmp-0123456789ABCDEF",
                                           "a.tmp-0123456789abcdef0"};
  for (const std::string& name : others) test::write_text(folder / name, "mine");
  std::filesystem::create_directory(folder / "a.tmp-1-0");
  test::write_text(folder / "b.tmp-1-0", "half");
  const AtomicFile written(folder / "a");
  SECTION("of one target") {
    remove_leftovers_of(folder / "a");
    CHECK(std::filesystem::exists(folder / "b.tmp-1-0"));
  }
  SECTION("of a folder") {
    remove_leftovers(folder.path());
    CHECK_FALSE(std::filesystem::exists(folder / "b.tmp-1-0"));
  }
  SECTION("of a file that two write at a time") {
    const AtomicFile second(folder / "a");
    CHECK(second.path() != written.path());
    CHECK(std::filesystem::exists(second.path()));
  }
  CHECK(std::filesystem::exists(written.path()));
  CHECK(std::filesystem::is_directory(folder / "a.tmp-1-0"));
  for (const std::string& name : others) CHECK(test::read_text(folder / name) == "mine");
}

TEST_CASE("leftovers in a folder that is not there are no error") {
  CHECK_NOTHROW(remove_leftovers("/nowhere/at/all"));
  CHECK_NOTHROW(remove_leftovers_of("/nowhere/at/all"));
}

TEST_CASE("a small file that the disk does not give back whole never takes its name") {
  const test::TempDir folder;
  test::write_text(folder / "a", "old");
  {
    const Fault fault([](FileOperation operation, const Path& path) {
      if (operation == FileOperation::sync) std::filesystem::resize_file(path, 2);
      return 0;
    });
    CHECK(contains(test::refusal(ErrorKind::resource,
                                 [&] { write_file_atomically(folder / "a", "new text"); }),
                   "what was read back is not what was written"));
  }
  CHECK(test::read_text(folder / "a") == "old");
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("a file larger than ulimit -f allows is an error that says so") {
  const test::TempDir folder;
  CHECK(test::exit_code_of_child([&] {
          install_stop_signals();
          const rlimit most{4096, 4096};
          ::setrlimit(RLIMIT_FSIZE, &most);
          const std::string message = test::refusal(ErrorKind::resource, [&] {
            write_file_atomically(folder / "a", std::string(10000, 'x'));
          });
          return contains(message, "a.tmp-") && contains(message, "ulimit -f") ? 0 : 1;
        }) == 0);
  CHECK(files_in(folder.path()) == 0);
}

TEST_CASE("a file that is shortened while it is read is an error with its name") {
  const test::TempDir folder;
  test::write_text(folder / "a", std::string(10000, 'x'));
  const InputFile file(folder / "a");
  CHECK(file.size() == 10000);
  std::vector<std::byte> part(100);
  CHECK_NOTHROW(file.read_at(9900, part));
  CHECK(part.back() == std::byte{'x'});
  std::filesystem::resize_file(folder / "a", 9950);
  const std::string message = test::refusal(ErrorKind::input, [&] { file.read_at(9900, part); });
  CHECK(contains(message, "/a: has 9950 bytes, expected at least 10000"));
}

TEST_CASE(
    "a mapped file that is shortened ends the process with code 3, the name and no leftover") {
  const test::TempDir folder;
  test::write_text(folder / "a", std::string(10000, 'x'));
  CHECK(test::exit_code_of_child([&] {
          const int words = ::open((folder / "words").c_str(), O_WRONLY | O_CREAT, 0600);
          ::dup2(words, STDERR_FILENO);
          install_stop_signals();
          guard_mapped_files();
          const AtomicFile written(folder / "b");
          const MappedFile file(folder / "a"), other(folder / "a");
          std::filesystem::resize_file(folder / "a", 100);
          return file.bytes()[9000] == std::byte{'x'} ? 1 : 2;
        }) == 3);
  const std::string words = test::read_text(folder / "words");
  INFO(words);
  CHECK(contains(words, (folder / "a").string() + ": can no longer be read"));
  CHECK(files_in(folder.path()) == 2);
}

TEST_CASE("too few descriptors are no fault of the file that is read") {
  const test::TempDir folder;
  test::write_text(folder / "a", "x");
  CHECK(test::exit_code_of_child([&] {
          const rlimit none{3, 3};
          ::setrlimit(RLIMIT_NOFILE, &none);
          test::refusal(ErrorKind::resource, [&] { MappedFile file(folder / "a"); });
          return 0;
        }) == 0);
}

TEST_CASE("a file whose size the system does not tell is not read as if it were empty") {
  const test::TempDir folder;
  test::write_text(folder / "a", "x");
  test::check_child(test::exit_code_of_child([&] {
    test::refuse_call(SYS_newfstatat, ENOMEM);
    for (const auto& read : {+[](const Path& path) { MappedFile file(path); },
                             +[](const Path& path) { InputFile file(path); }}) {
      const std::string message =
          test::refusal(ErrorKind::resource, [&] { read(folder / "a"); });
      if (!contains(message, "cannot read: Cannot allocate memory")) return 1;
    }
    return 0;
  }));
}
