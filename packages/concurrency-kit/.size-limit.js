export default [
  {
    name: 'main entry, minified and gzipped',
    path: 'dist/index.js',
    limit: '17 kB',
    gzip: true,
    modifyEsbuildConfig: (config) => ({ ...config, platform: 'node' }),
  },
]
