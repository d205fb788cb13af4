import { deployment } from '../examples/production.js';
import { deployment as imports } from '../examples/import-vpc.js';
import { withDefaults } from './defaults.js';
import { controlPlaneEnvironment, dataNodeEnvironment, loadBalancerBlocks } from './process-environment.js';

describe('the environment of both servers', () => {
  it('names the load balancer that they believe, and nobody in a network that was made elsewhere', () => {
    const made = withDefaults(deployment);
    const blocks = loadBalancerBlocks(made).join(' ');
    expect(blocks).toMatch(/^\d+\.\d+\.\d+\.\d+\/\d+ /);
    const believed = { TURSO_BYOC_TRUSTED_PROXIES: blocks };
    expect(controlPlaneEnvironment(made, undefined)).toMatchObject(believed);
    expect(dataNodeEnvironment(made, 'arn:k')).toMatchObject(believed);
    const imported = withDefaults(imports);
    expect(controlPlaneEnvironment(imported, undefined)).toMatchObject({ TURSO_BYOC_TRUSTED_PROXIES: '' });
  });
});
