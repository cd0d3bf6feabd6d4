// Times training steps of llm.c's CPU trainer: the driver is ours, the trainer is included from the
// checkout that LLMC names (-DLLMC='"/path/to/train_gpt2.c"'), and is no part of this repository.
//
// llmc_step layers width heads batch context vocab seconds: one line of JSON, with the keys of
// pytorch_step.py. A step is llm.c's own: no clipping. Its compile flags are those of its Makefile.
#define TESTING
#include LLMC
#include <sys/resource.h>
#include <sys/time.h>

static double now(void) {
  struct timeval t;
  gettimeofday(&t, NULL);
  return t.tv_sec + 1e-6 * t.tv_usec;
}

static long resident_mib(void) {
  long pages = 0;
  FILE* f = fopen("/proc/self/statm", "r");
  if (f) {
    if (fscanf(f, "%*d %ld", &pages) != 1) pages = 0;
    fclose(f);
  }
  return pages * sysconf(_SC_PAGESIZE) >> 20;
}

static uint32_t next_random(uint64_t* state) {
  *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
  return (uint32_t)(*state >> 33);  // 31 bits
}

// llm.c begins from a file; ours has small numbers made by a counter.
static void write_checkpoint(const char* path, GPT2Config c) {
  int header[256] = {20240326, 3, c.max_seq_len, c.vocab_size, c.num_layers, c.num_heads, c.channels,
                     c.padded_vocab_size};
  size_t sizes[NUM_PARAMETER_TENSORS], count = 0;
  fill_in_parameter_sizes(sizes, c);
  for (int i = 0; i < NUM_PARAMETER_TENSORS; ++i) count += sizes[i];
  FILE* file = fopenCheck(path, "wb");
  fwrite(header, sizeof(int), 256, file);
  uint64_t state = 1;
  for (size_t i = 0; i < count; ++i) {
    const float x = 0.07f * (next_random(&state) * 0x1p-31f - 0.5f);
    fwrite(&x, sizeof x, 1, file);
  }
  fcloseCheck(file);
}

static int by_size(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

int main(int argc, char** argv) {
  if (argc != 8) return fprintf(stderr, "llmc_step layers width heads batch context vocab seconds\n"), 2;
  int n[6];
  for (int i = 0; i < 6; ++i) n[i] = atoi(argv[i + 1]);
  const GPT2Config config = {.max_seq_len = n[4], .vocab_size = n[5], .padded_vocab_size = n[5],
                             .num_layers = n[0], .num_heads = n[2], .channels = n[1]};
  char path[] = "/tmp/llmc_step_XXXXXX";
  close(mkstemp(path));
  const long before = resident_mib();
  write_checkpoint(path, config);
  GPT2 model;
  if (!freopen("/dev/null", "w", stdout)) return 1;  // llm.c tells what it loads
  gpt2_build_from_checkpoint(&model, path);
  remove(path);
  const int tokens = n[3] * n[4];
  int* ids = mallocCheck((tokens + 1) * sizeof(int));
  uint64_t state = 2;
  double times[200], spent = 0;
  int steps = 0;
  for (int step = 1; steps < 200 && spent < atof(argv[7]); ++step) {
    for (int i = 0; i <= tokens; ++i) ids[i] = next_random(&state) % n[5];
    const double start = now();
    gpt2_forward(&model, ids, ids + 1, n[3], n[4]);
    gpt2_zero_grad(&model);
    gpt2_backward(&model);
    gpt2_update(&model, 1e-3f, 0.9f, 0.95f, 1e-8f, 0.1f, step);
    if (step > 1) spent += times[steps++] = now() - start;
  }
  qsort(times, steps, sizeof *times, by_size);
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  fprintf(stderr, "{\"impl\": \"llm.c\", \"steps\": %d, \"tokens_per_second\": %.1f, \"step_ms\": %.2f, "
          "\"best_step_ms\": %.2f, \"loss\": %.5f, \"peak_rss_mib\": %ld, \"start_rss_mib\": %ld}\n",
          steps, tokens / times[steps / 2], 1e3 * times[steps / 2], 1e3 * times[0], model.mean_loss,
          usage.ru_maxrss / 1024, before);
  return 0;
}
