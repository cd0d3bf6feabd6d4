// Declares the keys of a schedule that describe the machine for which a run is planned.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "text/fields.h"

namespace stagedtrain::schedule {

// How devices sum their gradients (cost/communication.h).
enum class Reduce { all_to_all, ring };

// Training reads only flops and device, to log the utilisation (mfu).
struct MachineSpec {
  double flops = 0, utilisation = 0.4, half_width = 0, memory = 0;
  std::int64_t devices = 0, nodes = 1;
  double bandwidth = 0, node_bandwidth = 0;
  Reduce reduce = Reduce::all_to_all;
  double disk = 1e9, price_per_hour = 0;
  std::string device;
  template <class V>
  void fields(V& v) {
    v("flops", flops,
      {.doc =
           "peak FLOPs per second of a device at this precision, such as 312T; train then logs the "
           "utilisation (mfu); 0: unknown, so that time is planned only if it was measured",
       .min = 0});
    v("utilisation", utilisation,
      {.doc = "fraction of the peak that training reaches", .min = 0, .max = 1, .above_min = true});
    v("half_width", half_width,
      {.doc = "narrow models reach less of the peak: a model of width W reaches utilisation x W / "
              "(W + half_width), so half of it at this width; 0: all widths reach the same",
       .min = 0});
    v("memory", memory,
      {.doc = "bytes of memory that training may use on each device, such as 80G; 0: unknown",
       .min = 0});
    v("devices", devices,
      {.doc = "devices of a node, on each of which one process runs; 0: all processes run on one "
              "node. plan without --processes plans for nodes x devices",
       .min = 0,
       .max = 1 << 10});
    v("nodes", nodes, {.doc = "how many nodes the machine has", .min = 1, .max = 1 << 16});
    v("bandwidth", bandwidth,
      {.doc = "bytes per second that a device sends to others of its node, such as 450G; without "
              "node_bandwidth also to other nodes; 0: unknown",
       .min = 0});
    v("node_bandwidth", node_bandwidth,
      {.doc = "bytes per second that all devices of a node together send to other nodes, such as "
              "400G; "
              "0: each device sends at bandwidth",
       .min = 0});
    v("reduce", reduce,
      {.doc = "how gradients are summed: all_to_all, as train does; ring, as a reduce-scatter by "
              "NCCL would, which sends less between nodes of several devices"});
    v("disk", disk, {.doc = "bytes per second at which checkpoints are written", .min = 1e3});
    v("price_per_hour", price_per_hour,
      {.doc = "price per hour of all its nodes together, in any currency", .min = 0});
    v("device", device,
      {.doc = "name of the hardware that this describes and whose measurements are used (plan "
              "--measure prints it); empty: the newest of any"});
  }
};

}  // namespace stagedtrain::schedule

namespace stagedtrain {
template <>
struct EnumNames<schedule::Reduce> {
  static constexpr std::array names{"all_to_all", "ring"};
};
}  // namespace stagedtrain
