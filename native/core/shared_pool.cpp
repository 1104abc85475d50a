// A map of weak pointers behind a mutex.
#include "core/shared_pool.h"

#include <map>
#include <mutex>

namespace attune {

namespace {
struct Registry {
    std::mutex mutex;
    std::map<int, std::weak_ptr<ThreadPool>> pools;
};

// Never destroyed: worker environments may outlive the static destructors of the process.
Registry& registry() {
    static Registry* instance = new Registry;
    return *instance;
}
}  // namespace

std::shared_ptr<ThreadPool> shared_pool(int threads) {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    std::weak_ptr<ThreadPool>& entry = all.pools[threads];
    if (std::shared_ptr<ThreadPool> pool = entry.lock()) return pool;
    auto pool = std::make_shared<ThreadPool>(threads);
    entry = pool;
    return pool;
}

}  // namespace attune
