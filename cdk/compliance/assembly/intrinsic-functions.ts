import { namesOf, type Place, type ResourceNames } from './resource-names.js';
import { resourcesOf, type LocatedResource, type SynthesizedApp, type SynthesizedStack } from './synthesized-app.js';
import { isObject, type JsonObject } from './template.js';

/** Where stacks are thought to be deployed when they do not say it. */
export interface AssumedPlace {
  readonly partition?: string;
  readonly account?: string;
  readonly region?: string;
}

export const assumedAccount = '111122223333';
export const assumedRegion = 'eu-central-1';

/** Stands for `AWS::NoValue`: the property is not there. */
const noValue = Symbol('AWS::NoValue');

/**
 * Computes what CloudFormation would make of the intrinsic functions in templates: references become the names and ARNs that
 * the resources have (see resource-names), imports are followed into the stack that exports, parameters take their default,
 * or the value of the SSM parameter that the app itself creates. What cannot be known before a deployment becomes a string
 * that says so (`<stack>.<logical id>.<attribute>`), never an empty one.
 */
export class IntrinsicFunctions {
  readonly #app: SynthesizedApp;
  readonly #assumed: AssumedPlace;
  readonly #names = new Map<string, ResourceNames>();

  constructor(app: SynthesizedApp, assumed: AssumedPlace = {}) {
    this.#app = app;
    this.#assumed = assumed;
  }

  placeOf(stack: SynthesizedStack): Place {
    const region = stack.region ?? this.#assumed.region ?? assumedRegion;
    const partition = region.startsWith('cn-') ? 'aws-cn' : region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
    return {
      region,
      partition: this.#assumed.partition ?? partition,
      account: stack.account ?? this.#assumed.account ?? assumedAccount,
    };
  }

  namesOf(located: LocatedResource): ResourceNames {
    const id = `${located.stack.name}/${located.logicalId}`;
    const known = this.#names.get(id);
    if (known) return known;
    const names = namesOf(located, this.placeOf(located.stack), (value) => this.resolve(located.stack, value));
    this.#names.set(id, names);
    return names;
  }

  /**
   * The value with every intrinsic function computed.
   * @throws Error on a function or a reference that the template does not define.
   */
  resolve(stack: SynthesizedStack, value: unknown): unknown {
    const resolved = this.#resolve(stack, value);
    return resolved === noValue ? undefined : resolved;
  }

  /** As `resolve`, for what must be a string in the end. */
  text(stack: SynthesizedStack, value: unknown): string {
    const resolved = this.resolve(stack, value);
    if (typeof resolved === 'string' || typeof resolved === 'number' || typeof resolved === 'boolean')
      return String(resolved);
    throw new Error(`${stack.name}: ${JSON.stringify(value)} is not a string`);
  }

  /** Whether a resource, or a statement, under this condition is deployed. */
  holds(stack: SynthesizedStack, condition: string | undefined): boolean {
    if (condition === undefined) return true;
    const expression = stack.template.Conditions?.[condition];
    if (expression === undefined) throw new Error(`${stack.name}: the condition ${condition} is not defined`);
    return this.#truth(stack, expression);
  }

  #resolve(stack: SynthesizedStack, value: unknown): unknown {
    if (Array.isArray(value)) {
      return value.map((element) => this.#resolve(stack, element)).filter((element) => element !== noValue);
    }
    if (!isObject(value)) return value;
    const [key, ...others] = Object.keys(value);
    if (key !== undefined && others.length === 0 && (key === 'Ref' || key.startsWith('Fn::'))) {
      return this.#call(stack, key, value[key]);
    }
    return Object.fromEntries(
      Object.entries(value)
        .map(([name, member]) => [name, this.#resolve(stack, member)] as const)
        .filter(([, member]) => member !== noValue),
    );
  }

  #call(stack: SynthesizedStack, name: string, argument: unknown): unknown {
    switch (name) {
      case 'Ref':
        return this.#reference(stack, String(argument));
      case 'Fn::GetAtt': {
        const [logicalId, ...attribute] = typeof argument === 'string' ? argument.split('.') : (argument as string[]);
        return this.#attribute(stack, String(logicalId), attribute.join('.'));
      }
      case 'Fn::Join': {
        const [separator, parts] = argument as [string, unknown];
        return this.#list(stack, parts).map(String).join(separator);
      }
      case 'Fn::Sub':
        return this.#substitute(stack, argument);
      case 'Fn::Select': {
        const [index, list] = argument as [unknown, unknown];
        const chosen = this.#list(stack, list)[Number(this.#resolve(stack, index))];
        if (chosen === undefined)
          throw new Error(`${stack.name}: Fn::Select beyond the end of ${JSON.stringify(list)}`);
        return chosen;
      }
      case 'Fn::Split': {
        const [separator, text] = argument as [string, unknown];
        return String(this.#resolve(stack, text)).split(separator);
      }
      case 'Fn::If': {
        const [condition, then, otherwise] = argument as [string, unknown, unknown];
        return this.#resolve(stack, this.holds(stack, condition) ? then : otherwise);
      }
      case 'Fn::ImportValue':
        return this.#imported(stack, String(this.#resolve(stack, argument)));
      case 'Fn::GetStackOutput':
        return this.#outputOf(stack, argument);
      case 'Fn::FindInMap': {
        const [map, first, second] = (argument as unknown[]).map((part) => String(this.#resolve(stack, part)));
        const found = stack.template.Mappings?.[map ?? '']?.[first ?? '']?.[second ?? ''];
        if (found === undefined)
          throw new Error(`${stack.name}: nothing in the mapping at ${map}, ${first}, ${second}`);
        return found;
      }
      case 'Fn::GetAZs': {
        const { region } = this.placeOf(stack);
        return ['a', 'b', 'c'].map((zone) => `${region}${zone}`);
      }
      case 'Fn::Base64':
        return Buffer.from(String(this.#resolve(stack, argument))).toString('base64');
      case 'Fn::Cidr':
        return Array.from({ length: 16 }, (_, index) => `${stack.name}.cidr.${index}`);
      default:
        throw new Error(`${stack.name}: the function ${name} is not known`);
    }
  }

  #reference(stack: SynthesizedStack, name: string): unknown {
    const { partition, account, region } = this.placeOf(stack);
    const pseudo: Readonly<Record<string, unknown>> = {
      'AWS::Partition': partition,
      'AWS::AccountId': account,
      'AWS::Region': region,
      'AWS::URLSuffix': partition === 'aws-cn' ? 'amazonaws.com.cn' : 'amazonaws.com',
      'AWS::StackName': stack.name,
      'AWS::StackId': `arn:${partition}:cloudformation:${region}:${account}:stack/${stack.name}/0`,
      'AWS::NoValue': noValue,
      'AWS::NotificationARNs': [],
    };
    if (name in pseudo) return pseudo[name];
    const resource = stack.template.Resources[name];
    if (resource) return this.namesOf({ stack, logicalId: name, resource }).ref;
    const parameter = stack.template.Parameters?.[name];
    if (!parameter) throw new Error(`${stack.name}: nothing is called ${name}`);
    if (parameter.Type.startsWith('AWS::SSM::Parameter::Value'))
      return this.#storedParameter(String(parameter.Default));
    return parameter.Default ?? `${stack.name}.${name}`;
  }

  #attribute(stack: SynthesizedStack, logicalId: string, attribute: string): unknown {
    const resource = stack.template.Resources[logicalId];
    if (!resource) throw new Error(`${stack.name}: there is no resource ${logicalId}`);
    const names = this.namesOf({ stack, logicalId, resource });
    if (/Arn$/.test(attribute) || attribute === 'Arn') return names.arn;
    if (attribute === 'KeyId') return names.ref;
    const property = resource.Properties?.[attribute];
    if (property !== undefined) return this.#resolve(stack, property);
    if (attribute === 'GroupId' || attribute === 'VpcId' || attribute === 'Id' || attribute === 'Name')
      return names.ref;
    const unknown = `${stack.name}.${logicalId}.${attribute}`;
    // Lists of endpoints have the zone in front of each: `eu-central-1a:vpce-…`.
    return /Ids$|^NameServers$|^DnsEntries$/.test(attribute)
      ? [0, 1, 2].map((index) => `${index}:${unknown}`)
      : unknown;
  }

  #substitute(stack: SynthesizedStack, argument: unknown): string {
    const [template, variables] = Array.isArray(argument) ? (argument as [string, JsonObject]) : [String(argument), {}];
    return template.replace(/\$\{([^}!]+)\}/g, (_, name: string) => {
      if (name in variables) return String(this.#resolve(stack, variables[name]));
      const [logicalId, ...attribute] = name.split('.');
      const value =
        attribute.length > 0
          ? this.#attribute(stack, String(logicalId), attribute.join('.'))
          : this.#reference(stack, name);
      return String(value);
    });
  }

  #list(stack: SynthesizedStack, value: unknown): readonly unknown[] {
    const list = this.#resolve(stack, value);
    if (!Array.isArray(list)) throw new Error(`${stack.name}: ${JSON.stringify(value)} is not a list`);
    return list;
  }

  #imported(stack: SynthesizedStack, exportName: string): unknown {
    for (const other of this.#app.stacks) {
      for (const output of Object.values(other.template.Outputs ?? {})) {
        if (output.Export && this.#resolve(other, output.Export.Name) === exportName)
          return this.#resolve(other, output.Value);
      }
    }
    throw new Error(`${stack.name}: no stack of the app exports ${exportName}`);
  }

  #outputOf(stack: SynthesizedStack, argument: unknown): unknown {
    const { StackName: name, OutputName: output } = this.#resolve(stack, argument) as Readonly<Record<string, unknown>>;
    const other = this.#app.stacks.find((candidate) => candidate.name === name);
    const found = other?.template.Outputs?.[String(output)];
    if (!other || !found) throw new Error(`${stack.name}: the stack ${String(name)} has no output ${String(output)}`);
    return this.#resolve(other, found.Value);
  }

  #storedParameter(name: string): unknown {
    for (const { stack, resource } of resourcesOf(this.#app, 'AWS::SSM::Parameter')) {
      if (this.#resolve(stack, resource.Properties?.['Name']) === name)
        return this.#resolve(stack, resource.Properties?.['Value']);
    }
    return `ssm:${name}`;
  }

  #truth(stack: SynthesizedStack, expression: unknown): boolean {
    if (!isObject(expression)) throw new Error(`${stack.name}: ${JSON.stringify(expression)} is not a condition`);
    const [name, argument] = Object.entries(expression)[0] ?? [];
    const operands = Array.isArray(argument) ? (argument as unknown[]) : [];
    switch (name) {
      case 'Fn::Equals':
        return String(this.#resolve(stack, operands[0])) === String(this.#resolve(stack, operands[1]));
      case 'Fn::Not':
        return !this.#truth(stack, operands[0]);
      case 'Fn::And':
        return operands.every((operand) => this.#truth(stack, operand));
      case 'Fn::Or':
        return operands.some((operand) => this.#truth(stack, operand));
      case 'Condition':
        return this.holds(stack, String(argument));
      default:
        throw new Error(`${stack.name}: ${JSON.stringify(expression)} is not a condition`);
    }
  }
}
