// Entry of the addon: makes the environment's state and fills the exports.
#include <napi.h>

#include "binding/addon_state.h"
#include "binding/functions.h"

namespace {

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
    env.SetInstanceData(new attune::binding::AddonState(env));
    attune::binding::export_engine_functions(env, exports);
    attune::binding::export_model_functions(env, exports);
    attune::binding::export_kl_functions(env, exports);
    attune::binding::export_loss_functions(env, exports);
    attune::binding::export_generation_functions(env, exports);
    attune::binding::export_bench_functions(env, exports);
    attune::binding::export_check_functions(env, exports);
    return exports;
}

}  // namespace

NODE_API_MODULE(attune, initialise)
