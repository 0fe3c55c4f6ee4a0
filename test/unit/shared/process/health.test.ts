import { describe, expect, it } from 'vitest';
import { Health } from '../../../../services/shared/process/health.ts';

describe('Health', () => {
  it('is ready once every condition has been met', () => {
    const health = new Health();
    const started = health.require('started');
    const fresh = health.require('fresh');
    started();
    expect(health.readiness()).toEqual({
      ready: false,
      draining: false,
      conditions: { started: true, fresh: false },
    });
    fresh();
    fresh();
    expect(health.readiness().ready).toBe(true);
  });

  it('keeps a condition met if it is required again', () => {
    const health = new Health();
    health.require('fresh')();
    health.require('fresh');
    expect(health.readiness().ready).toBe(true);
  });

  it('is never ready again after drain', () => {
    const health = new Health();
    const started = health.require('started');
    health.drain();
    started();
    expect(health.readiness()).toEqual({ ready: false, draining: true, conditions: { started: true } });
  });
});
