{
  "variables": { "with_emulated%": 1 },
  "target_defaults": {
    "dependencies": ["<!(node -p \"require('node-addon-api').targets\"):node_addon_api_except_all"],
    "defines": ["<!@(node native/list.cjs defines)"],
    "include_dirs": ["native"],
    "cflags!": ["-fno-exceptions", "-O2"],
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-O2"],
    "cflags_cc": ["-std=gnu++20", "-fvisibility=hidden", "-Wall", "-Wextra"]
  },
  "targets": [
    {
      "target_name": "cpu_scalar", "type": "static_library",
      "sources": ["<!@(node native/list.cjs scalar)"], "cflags_cc": ["<!@(node native/list.cjs scalar_flags)"]
    },
    {
      "target_name": "attune",
      "dependencies": ["cpu_scalar"],
      "sources": ["<!@(node native/list.cjs addon core)"],
      "cflags_cc": ["<!@(node native/list.cjs core_flags)"],
      "ldflags": ["-Wl,-rpath,'$$ORIGIN'", "-Wl,-z,nodelete"],
      "conditions": [
        ["OS=='linux'", { "ldflags": ["-Wl,--version-script=<(module_root_dir)/native/binding/exports.map"] }],
        ["target_arch=='x64'", {
          "dependencies": ["cpu_avx2", "cpu_avx512", "cpu_avx512bf16"],
          "conditions": [["with_emulated==1", { "dependencies": ["cpu_emulated"], "defines": ["ATTUNE_EMULATED"] }]]
        }],
        ["target_arch=='arm64'", { "dependencies": ["cpu_neon"] }]
      ]
    }
  ],
  "conditions": [
    ["target_arch=='x64'", {
      "targets": [
        {
          "target_name": "cpu_avx2", "type": "static_library",
          "sources": ["<!@(node native/list.cjs avx2)"], "cflags_cc": ["<!@(node native/list.cjs avx2_flags)"]
        },
        {
          "target_name": "cpu_avx512", "type": "static_library",
          "sources": ["<!@(node native/list.cjs avx512)"], "cflags_cc": ["<!@(node native/list.cjs avx512_flags)"]
        },
        {
          "target_name": "cpu_avx512bf16", "type": "static_library",
          "sources": ["<!@(node native/list.cjs avx512bf16)"], "cflags_cc": ["<!@(node native/list.cjs avx512bf16_flags)"]
        },
        {
          "target_name": "cpu_emulated", "type": "static_library",
          "sources": ["<!@(node native/list.cjs emulated)"], "cflags_cc": ["<!@(node native/list.cjs emulated_flags)"]
        }
      ]
    }],
    ["target_arch=='arm64'", {
      "targets": [
        {
          "target_name": "cpu_neon", "type": "static_library",
          "sources": ["<!@(node native/list.cjs neon)"], "cflags_cc": ["<!@(node native/list.cjs neon_flags)"]
        }
      ]
    }]
  ]
}
