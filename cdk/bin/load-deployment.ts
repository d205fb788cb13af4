import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** No such deployment; the message says where was looked. */
export class DeploymentNotFound extends Error {
  override readonly name = 'DeploymentNotFound';
}

/**
 * What a deployment's file says, not validated: `examples/<name>.ts` or `deployments/<name>.ts` as compiled, or a path that ends in
 * `.json`. Throws `DeploymentNotFound`.
 */
export async function loadDeployment(name: string): Promise<unknown> {
  if (name.endsWith('.json')) {
    const path = resolve(name);
    if (!existsSync(path)) throw new DeploymentNotFound(`there is no file ${path}`);
    return JSON.parse(readFileSync(path, 'utf8')) as unknown;
  }
  if (!/^[a-z0-9-]+$/.test(name)) {
    throw new DeploymentNotFound(
      `${JSON.stringify(name)} is no name of a deployment; use small letters, digits and dashes`,
    );
  }
  for (const folder of ['deployments', 'examples']) {
    const file = new URL(`../${folder}/${name}.js`, import.meta.url);
    if (!existsSync(file)) continue;
    const module = (await import(file.href)) as { readonly deployment?: unknown };
    if (module.deployment === undefined) {
      throw new DeploymentNotFound(`cdk/${folder}/${name}.ts exports no "deployment"`);
    }
    return module.deployment;
  }
  throw new DeploymentNotFound(
    `there is neither cdk/deployments/${name}.ts nor cdk/examples/${name}.ts; write one and build again`,
  );
}
