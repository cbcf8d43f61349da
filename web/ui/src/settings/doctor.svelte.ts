// What the doctor found, for the panel that shows it and for those who need a part of it.

import { api, asProblem } from '../api';
import type { DoctorReport, Problem } from '../wire';

class Doctor {
  report = $state.raw<DoctorReport | null>(null);
  problem = $state.raw<Problem | null>(null);
  busy = $state(false);

  async look(): Promise<void> {
    this.busy = true;
    try {
      this.report = await api.doctor();
      this.problem = null;
    } catch (thrown) {
      this.problem = asProblem(thrown);
    } finally {
      this.busy = false;
    }
  }
}

export const doctor = new Doctor();
